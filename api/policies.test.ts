import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultPolicy, type Policy } from "../domain/policy.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { applyText } from "../test/harness/apply-text.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { connectionIndex, credential, everything } from "../test/harness/manifests.ts";

let api: TestApi;
beforeAll(async () => {
  api = await withApi(await withLedger());
  await applyText(api, everything, { [connectionIndex]: randomBytes(12).toString("hex") });
  await applyText(api, careful("1h"));
});
afterAll(() => api.app.close());

const careful = (grace: string, more = "") => `apiVersion: rekey/v1
kind: Policy
metadata: { name: careful, team: shop }
spec: { grace: ${grace}${more} }
`;
const named = (policy: string) => credential.replace(/policy: .*/, `policy: ${policy}`);

async function storedPolicy(): Promise<Policy> {
  const { rows } = await sql<{ policy: Policy }>`SELECT policy FROM credentials WHERE name = 'orders'`.execute(
    api.deps.ledger.db,
  );
  return rows[0]?.policy ?? defaultPolicy;
}

const shown = async () => (await api.ask("GET", "/credentials/shop%2Forders")).json;

describe("a credential that names a policy", () => {
  it("is ruled by it, and the plan says by what", async () => {
    const [item] = await applyText(api, named("careful"));
    expect(item?.changes).toContainEqual({ field: "spec.policy", from: null, to: "shop/careful" });
    expect(item?.changes).toContainEqual({ field: "spec.policy.grace", from: "2s", to: "1h" });
    expect(item?.notes).toEqual([expect.stringMatching(/^Ruled by policy shop\/careful: grace 1h\.$/)]);
    expect(await storedPolicy()).toEqual({ graceMs: 3_600_000 });
    expect(await shown()).toMatchObject({ policyRef: "shop/careful", policy: { grace: "1h" } });
    expect(await applyText(api, named("shop/careful"))).toMatchObject([{ action: "unchanged", notes: [] }]);
  });

  it("follows it when it changes, and its plan names who does", async () => {
    const items = await applyText(api, [careful("2h"), named("careful")].join("---\n"));
    expect(items).toMatchObject([
      {
        ref: "Policy shop/careful",
        action: "change",
        changes: [{ field: "spec.grace", from: "1h", to: "2h" }],
        notes: [expect.stringContaining("Rules shop/orders. For an open rotation what became stricter counts at once")],
      },
      { ref: "Credential shop/orders", action: "unchanged" },
    ]);
    expect((await storedPolicy()).graceMs).toBe(7_200_000);
    expect((await shown())["policy"]).toMatchObject({ grace: "2h" });
  });

  it("keeps its policy from being deleted, and its policy's team", async () => {
    const refusal = async (kind: string, name: string) =>
      (await api.ask("POST", "/manifests/delete", { kind, name })).json["detail"];
    expect(await refusal("policy", "shop/careful")).toBe(
      "It rules Credential shop/orders. Give those another policy and apply that first.",
    );
    expect(await refusal("team", "shop")).toContain("Policy shop/careful");
  });

  it("may take it on and leave it during a rotation, which its connection and config may not", async () => {
    await sql`UPDATE credentials SET current_version = 1`.execute(api.deps.ledger.db);
    const { json } = await api.ask("POST", "/credentials/shop%2Forders/rotate", {});
    const [item] = await applyText(api, named("{ grace: 3h }"));
    expect(item?.notes).toEqual([expect.stringContaining(`For the open rotation ${json["id"] as string} what became`)]);
    expect(await shown()).toMatchObject({ policyRef: null, policy: { grace: "3h" } });
    await applyText(api, named("careful"));
    const body = { files: [{ name: "a.yaml", text: named("careful").replace(", orders_b", ""), secrets: {} }] };
    expect((await api.ask("POST", "/manifests/apply", body)).text).toContain("cannot change while rotation");
  });

  it("is refused where there is no such policy, or it has a mistake of its own", async () => {
    const issues = async (text: string) => {
      const body = { files: [{ name: "a.yaml", text, secrets: {} }] };
      const { json } = await api.ask("POST", "/manifests/apply", body);
      return (json["issues"] as readonly { field: string; text: string }[]).map(
        ({ field, text: said }) => `${field} ${said}`,
      );
    };
    expect(await issues(named("carefull"))).toEqual([
      "spec.policy names no policy that exists; add a Policy manifest, or write team/name.",
    ]);
    expect(await issues(named("Careful/x/y"))).toEqual(["spec.policy must be a name, or team/name."]);
    expect(await issues([careful("1"), named("careful")].join("---\n"))).toEqual([
      expect.stringContaining("spec.grace must be a number with its unit"),
    ]);
    expect(await issues(named("{ grase: 1h, atempts: 3 }"))).toEqual([
      "spec.policy.grase is no field here; did you mean grace?",
      "spec.policy.atempts is no field here; did you mean attempts?",
    ]);
  });
});
