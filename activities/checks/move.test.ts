import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeEach, describe, expect, it } from "vitest";
import type { CustodyRef } from "../../custody/custody.ts";
import { versionRef } from "../../custody/refs.ts";
import { decodeValue } from "../../custody/value-encoding.ts";
import { createScrubber } from "../../custody/scrubber.ts";
import { TransientError } from "../../domain/errors.ts";
import { reserveRotations } from "../../ledger/reserve-rotations.ts";
import { revealField } from "../../providers/contract/value.ts";
import { withApi, type TestApi } from "../../test/harness/api.ts";
import { applyText } from "../../test/harness/apply-text.ts";
import { withLedger } from "../../test/harness/ledger.ts";
import { connectionIndex, credential, everything } from "../../test/harness/manifests.ts";
import { memoryStore, type MemoryStore } from "../../test/harness/memory-custody.ts";
import { runCheck } from "../run-check.ts";
import type { StepDeps } from "../step-deps.ts";

let api: TestApi;
let far: MemoryStore;
let near: MemoryStore;
/** What happens at the stores' next moments. */
let trouble: (moment: string) => void;
let credentialId: string;
let password: string;

const newSecret = () => randomBytes(12).toString("hex");
const db = () => api.deps.ledger.db;
const quiet = () => undefined;

beforeEach(async () => {
  trouble = quiet;
  [far, near] = [memoryStore(), memoryStore((moment) => trouble(moment))];
  api = await withApi(await withLedger(), undefined, { stores: { far, near }, custodyDefault: "far" });
  await applyText(api, everything, { [connectionIndex]: newSecret() });
  password = newSecret();
  await api.ask("POST", "/credentials/shop%2Forders/adopt", { secret: password, fields: { username: "orders_a" } });
  // As a worker does that finds it accepted.
  const { rows } = await sql<{ id: string }>`
    UPDATE credentials SET current_version = 1 RETURNING id`.execute(db());
  credentialId = rows[0]?.id ?? "";
  await sql`UPDATE versions SET state = 'live', handle = 'orders_a'`.execute(db());
  await sql`UPDATE checks SET state = 'done', finished_at = clock_timestamp()`.execute(db());
});

const ask = async (custody: string) => api.ask("POST", "/credentials/shop%2Forders/move", { custody });

async function asked(custody: string): Promise<string> {
  const { status, json, text } = await ask(custody);
  expect([status, text]).toEqual([200, expect.any(String)]);
  return json["checkId"] as string;
}

/** A worker takes up the check. */
async function work(checkId: string, signal = new AbortController().signal): Promise<Record<string, unknown>> {
  const { ledger, custody } = api.deps;
  const deps = { ledger, custody, scrubber: createScrubber(), log: quiet } as unknown as StepDeps;
  await runCheck(deps, checkId, signal);
  return (await api.ask("GET", `/checks/${checkId}`)).json;
}

const passwordsIn = ({ held }: MemoryStore) =>
  [...held.values()].map(({ bytes }) => revealField(decodeValue(bytes), "password"));
async function ownRef(): Promise<CustodyRef> {
  const { rows } = await sql<{ instance: string; id: string; pool: string }>`
    SELECT (SELECT id FROM instance) AS instance, v.id, n.pool FROM versions v JOIN connections n ON n.id = v.connection_id
    `.execute(db());
  const [{ instance, id, pool } = { instance: "", id: "", pool: "" }] = rows;
  return versionRef({ instance, credentialId, number: 1, versionId: id, pool });
}
const placeNow = async () => (await api.ask("GET", "/credentials/shop%2Forders")).json["custody"];
const rotate = async () => reserveRotations(api.deps.ledger, [{ credentialId, requestedBy: "tok_test", reason: "" }]);

describe("moving a credential's values", () => {
  it("leaves them in the new place alone, where the next ones go too, and the audit trail tells it", async () => {
    const check = await work(await asked("near"));
    expect(check).toMatchObject({ state: "done", result: { from: "far", to: "near", versions: [1] } });
    expect([passwordsIn(far), passwordsIn(near), await placeNow()]).toEqual([[], [password], "near"]);
    const inManifest = credential.replace("spec:\n", "spec:\n  custody: near\n");
    expect((await applyText(api, inManifest))[0]?.action).toBe("unchanged");
    const { rows } = await sql<{ action: string }>`
      SELECT action FROM audit WHERE credential_id = ${credentialId} ORDER BY id DESC LIMIT 4`.execute(db());
    expect(rows.map(({ action }) => action)).toEqual([
      "credential.moved",
      "check.done",
      "value.moved",
      "check.requested",
    ]);
  });

  it("is asked for once, however often, and lets neither another move nor a rotation begin meanwhile", async () => {
    const checkId = await asked("near");
    expect(await asked("near")).toBe(checkId);
    expect(await ask("embedded")).toMatchObject({ status: 409, json: { code: "check_pending" } });
    const { refused, reserved } = await rotate();
    expect(reserved).toEqual([]);
    expect(refused).toMatchObject([{ code: "check_pending", detail: expect.stringContaining("moving the values") }]);
    await work(checkId);
    expect((await rotate()).reserved).toHaveLength(1);
  });

  it("is refused while a rotation is open", async () => {
    const { reserved } = await rotate();
    expect(await ask("near")).toMatchObject({
      status: 409,
      json: { code: "move_refused", detail: expect.stringContaining(reserved[0]?.rotationId ?? "none") },
    });
  });

  it("is refused to a place that no setting names, with the one that was meant", async () => {
    expect(await ask("nears")).toMatchObject({
      status: 400,
      json: { detail: expect.stringContaining("did you mean near?") },
    });
  });

  it("that does not reach the new place leaves every value where it is, and can be asked for again", async () => {
    trouble = () => {
      throw new TransientError("custody_unreachable", "The store does not answer.");
    };
    const failed = await work(await asked("near"));
    expect(failed).toMatchObject({ state: "failed", findings: [{ code: "custody_unreachable" }] });
    expect([passwordsIn(far), await placeNow()]).toEqual([[password], "far"]);
    trouble = quiet;
    expect(await work(await asked("near"))).toMatchObject({ state: "done" });
    expect([passwordsIn(far), passwordsIn(near)]).toEqual([[], [password]]);
  });

  it("ends where a value is not in its place, and nothing is switched; one that nobody has given need not be there", async () => {
    const kept = new Map(far.held);
    for (const state of ["live", "disabled"]) {
      await sql`UPDATE versions SET state = ${state}`.execute(db());
      far.held.clear();
      expect(await work(await asked("near"))).toMatchObject({
        state: "failed",
        findings: [{ code: "custody_missing" }],
      });
      for (const [key, held] of kept) far.held.set(key, held);
      expect([await placeNow(), await api.deps.custody.get(await ownRef())]).toMatchObject([
        "far",
        { username: "orders_a" },
      ]);
    }
    far.held.clear();
    await sql`UPDATE versions SET is_unknown = true`.execute(db());
    expect(await work(await asked("near"))).toMatchObject({ state: "done" });
  });

  it("that is interrupted is taken up again and ends", async () => {
    const checkId = await asked("near");
    const worker = new AbortController();
    trouble = (moment) => {
      if (moment !== "after put") return;
      worker.abort();
      worker.signal.throwIfAborted();
    };
    await expect(work(checkId, worker.signal)).rejects.toThrow("aborted");
    expect([passwordsIn(far), passwordsIn(near)]).toEqual([[password], [password]]);
    trouble = quiet;
    expect(await work(checkId)).toMatchObject({ state: "done" });
    expect([passwordsIn(far), passwordsIn(near), await placeNow()]).toEqual([[], [password], "near"]);
  });

  it("brings them back into the ledger, sealed", async () => {
    await work(await asked("embedded"));
    const { rows } = await sql<{ key: string }>`
      SELECT key FROM custody_values WHERE key LIKE ${`${credentialId}/%`}`.execute(db());
    expect([passwordsIn(far), rows.length, await placeNow()]).toEqual([[], 1, "embedded"]);
  });
});
