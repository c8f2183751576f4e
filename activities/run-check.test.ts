import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { sql } from "kysely";
import { checkSecretRef } from "../custody/refs.ts";
import { checkSecretLifeMs } from "../domain/check.ts";
import { OperatorNeededError } from "../domain/errors.ts";
import { readCheck, readDueChecks, requestCheck, requestCheckWithSecret, type Check } from "../ledger/checks.ts";
import { transact } from "../ledger/database.ts";
import { Secret } from "../providers/contract/secret.ts";
import { newSecret } from "../test/harness/postgres-issuer.ts";
import { openStepBench, type StepBench } from "../test/harness/step-bench.ts";
import { runCheck, type CheckWork } from "./run-check.ts";

let bench: StepBench;
let secret: string;
const { signal } = new AbortController();

beforeAll(async () => {
  bench = await openStepBench();
});
afterAll(async () => bench.close());
beforeEach(() => {
  secret = newSecret();
});

const forget = async (check: Check) => bench.deps.custody.forget(checkSecretRef(check, check.instance));
const ask = (put = keep) =>
  requestCheckWithSecret(bench.ledger, { kind: "adopt", requestedBy: "tok_test" }, { put, forget });
const keep = async (check: Check): Promise<void> => {
  await bench.deps.custody.putIfAbsent(checkSecretRef(check, check.instance), { password: new Secret(secret) });
};
const run = (id: string, work: CheckWork) => runCheck(bench.deps, id, signal, { adopt: work });

async function stored(id: string): Promise<Check> {
  const found = await readCheck(bench.ledger.db, "everything", id);
  if (found === undefined) throw new Error("no check");
  return found;
}
const inCustody = async (id: string) => {
  const check = await stored(id);
  return bench.deps.custody.get(checkSecretRef(check, check.instance));
};
const due = async () => (await readDueChecks(bench.ledger, 100)).map(({ checkId }) => checkId);
const age = (id: string) =>
  sql`UPDATE checks SET at = at - ${checkSecretLifeMs + 1_000} * interval '1 millisecond' WHERE id = ${id}`.execute(
    bench.ledger.db,
  );

describe("a check", () => {
  it("says what it saw, about nothing that is registered", async () => {
    const id = await transact(bench.ledger, (trx) => requestCheck(trx, { kind: "adopt", requestedBy: "tok_test" }));
    await run(id, () => Promise.resolve({ ok: true, findings: [], result: { version: 15 } }));
    expect(await stored(id)).toMatchObject({
      state: "done",
      subjectId: null,
      pool: "default",
      result: { version: 15 },
    });
    const { rows } = await sql`
      SELECT credential_id, action FROM audit WHERE details ->> 'check' = ${id} ORDER BY id`.execute(bench.ledger.db);
    expect(rows).toEqual([
      { credential_id: null, action: "check.requested" },
      { credential_id: null, action: "check.done" },
    ]);
  });
});

describe("a secret that was given for one check alone", () => {
  it("reaches the work, and is destroyed when the check has ended", async () => {
    const id = await ask();
    let seen: unknown;
    await run(id, ({ secret: given }) => {
      const { password } = given ?? {};
      seen = password instanceof Secret ? password.reveal() : undefined;
      return Promise.resolve({ ok: true, findings: [] });
    });
    expect(seen).toBe(secret);
    expect(await inCustody(id)).toBeUndefined();
    expect(await stored(id)).toMatchObject({ state: "done", secret: "destroyed" });
  });

  it("invariant 15: comes and goes with an audit row", async () => {
    const id = await ask();
    await run(id, () => Promise.resolve({ ok: true, findings: [] }));
    const { rows } = await sql<{ action: string }>`
      SELECT action FROM audit WHERE details ->> 'check' = ${id} ORDER BY id`.execute(bench.ledger.db);
    expect(rows.map(({ action }) => action)).toEqual([
      "check.requested",
      "check.secret_held",
      "check.done",
      "check.secret_destroyed",
    ]);
  });

  it("that comes when the check has been given up is destroyed at once, and it is said", async () => {
    let late: Check | undefined;
    const asked = ask(async (check) => {
      late = check;
      await age(check.checkId);
      await run(check.checkId, () => Promise.resolve({ ok: true, findings: [] }));
      await keep(check);
    });
    await expect(asked).rejects.toMatchObject({ code: "check_expired" });
    expect(await inCustody(late?.checkId ?? "")).toBeUndefined();
  });

  it("is destroyed when the check has failed", async () => {
    const id = await ask();
    await run(id, () => Promise.reject(new OperatorNeededError("issuer_auth_failed", "Refused.")));
    expect(await inCustody(id)).toBeUndefined();
    expect(await stored(id)).toMatchObject({ state: "failed", findings: [{ code: "issuer_auth_failed" }] });
  });

  it("is destroyed when the worker died after the answer, since the check stays due until then", async () => {
    const id = await ask();
    await sql`UPDATE checks SET state = 'done', finished_at = clock_timestamp() WHERE id = ${id}`.execute(
      bench.ledger.db,
    );
    expect(await due()).toContain(id);
    await run(id, () => Promise.reject(new Error("must not run")));
    expect(await inCustody(id)).toBeUndefined();
    expect(await due()).not.toContain(id);
  });

  it("is destroyed unused when no worker came for the check in time", async () => {
    const id = await ask();
    await age(id);
    await run(id, () => Promise.reject(new Error("must not run")));
    expect(await inCustody(id)).toBeUndefined();
    expect(await stored(id)).toMatchObject({ state: "failed", findings: [{ code: "check_expired" }] });
  });

  it("is destroyed when whoever brought it died before saying that it is there", async () => {
    const died = ask(async (check) => {
      await keep(check);
      throw new Error("died");
    });
    await expect(died).rejects.toThrow("died");
    const { rows } = await sql<{ id: string }>`SELECT id FROM checks WHERE secret = 'awaited'`.execute(bench.ledger.db);
    const id = rows[0]?.id ?? "";
    expect(await due()).not.toContain(id);
    await run(id, () => Promise.reject(new Error("must not run")));
    expect(await stored(id)).toMatchObject({ state: "pending" });
    await age(id);
    expect(await due()).toContain(id);
    await run(id, () => Promise.reject(new Error("must not run")));
    expect(await inCustody(id)).toBeUndefined();
    expect(await stored(id)).toMatchObject({ state: "failed", findings: [{ code: "check_expired" }] });
  });

  it("invariant 6: is not stored with what was found", async () => {
    const id = await ask();
    await run(id, () => Promise.resolve({ ok: true, findings: [], result: { said: `password=${secret}` } }));
    const check = await stored(id);
    expect(check).toMatchObject({ state: "failed", findings: [{ code: "internal" }], result: null });
    expect(JSON.stringify(check)).not.toContain(secret);
  });
});
