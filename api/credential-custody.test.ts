import { randomBytes } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { readDueChecks, finishCheck } from "../ledger/checks.ts";
import { revealField } from "../providers/contract/value.ts";
import { decodeValue } from "../custody/value-encoding.ts";
import { exportManifests } from "../manifests/export.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { applyText } from "../test/harness/apply-text.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { connectionIndex, credential, everything } from "../test/harness/manifests.ts";
import { memoryStore, type MemoryStore } from "../test/harness/memory-custody.ts";

let api: TestApi;
let far: MemoryStore;

const newSecret = () => randomBytes(12).toString("hex");
const inPlace = (place: string, of = credential) => of.replace("spec:\n", `spec:\n  custody: ${place}\n`);
const apply = async (text: string) => applyText(api, text, { [connectionIndex]: newSecret() });
const shown = async () => (await api.ask("GET", "/credentials/shop%2Forders")).json["custody"];

async function refusal(text: string): Promise<string> {
  const { status, json } = await api.ask("POST", "/manifests/apply", {
    files: [{ name: "rekey.yaml", text, secrets: {} }],
  });
  expect(status).toBe(422);
  return (json as { issues: { text: string }[] }).issues.map(({ text: says }) => says).join("\n");
}

async function adopt(secret: string): Promise<void> {
  const body = { secret, fields: { username: "orders_a" } };
  const { status, text } = await api.ask("POST", "/credentials/shop%2Forders/adopt", body);
  expect([status, text]).toEqual([200, expect.any(String)]);
}

/** As a worker that finds it refused by the issuer. */
async function refuse(): Promise<void> {
  for (const { checkId } of await readDueChecks(api.deps.ledger, 10))
    await api.deps.ledger.db.transaction().execute((trx) => finishCheck(trx, checkId, { ok: false, findings: [] }));
}

const heldFar = () => [...far.held.values()].map(({ bytes }) => revealField(decodeValue(bytes), "password"));

beforeEach(async () => {
  far = memoryStore();
  api = await withApi(await withLedger(), undefined, { stores: { far, near: memoryStore() }, custodyDefault: "far" });
});

describe("the place of a credential's values", () => {
  it("is what its manifest says, else the usual one of the settings", async () => {
    await apply(everything.replace(credential, inPlace("near")));
    expect(await shown()).toBe("near");
    await applyText(api, credential.replace("name: orders,", "name: other,").replace("_a, orders_b", "_c, orders_d"));
    expect((await api.ask("GET", "/credentials/shop%2Fother")).json["custody"]).toBe("far");
  });

  it("gets the value that is adopted, and the next one in its stead", async () => {
    await apply(everything);
    const [first, second] = [newSecret(), newSecret()];
    await adopt(first);
    expect(heldFar()).toEqual([first]);
    await refuse();
    await adopt(second);
    expect(heldFar()).toEqual([second]);
  });

  it("is exported, unless it is the ledger", async () => {
    await apply(everything);
    const text = async () => (await exportManifests(api.deps, { kind: "Credential" })).map((one) => one.text).join("");
    expect(await text()).toContain("\n  custody: far\n");
    await applyText(api, inPlace("embedded"));
    expect(await text()).not.toContain("custody");
  });

  it("changes freely while there is no value, and stays when the manifest says nothing of it", async () => {
    await apply(everything);
    const [item] = await applyText(api, inPlace("near"));
    expect(item?.changes).toEqual([{ field: "spec.custody", from: "far", to: "near" }]);
    expect((await applyText(api, credential))[0]?.action).toBe("unchanged");
    expect(await shown()).toBe("near");
  });

  it("changes by moving once there is one", async () => {
    await apply(everything);
    await adopt(newSecret());
    expect(await refusal(inPlace("near"))).toContain("rekey credential move shop/orders --custody near");
    expect((await applyText(api, inPlace("far")))[0]?.action).toBe("unchanged");
  });

  it("is refused when no setting names it, with the one that was meant", async () => {
    await apply(everything);
    expect(await refusal(inPlace("fra"))).toMatch(/must be one of embedded, far, near.*did you mean far\?/);
  });
});
