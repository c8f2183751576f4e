import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { editFile } from "../harness/edit-file.ts";
import { runCheck } from "../../activities/run-check.ts";
import { readDueChecks } from "../../ledger/checks.ts";
import { newSecret } from "../harness/postgres-issuer.ts";
import { register } from "../harness/registered.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { auditActions } from "../harness/say.ts";
import { readRotation } from "../harness/world.ts";

describe("what stops a rotation later is found by its preflight", () => {
  let bench: StepBench;
  beforeAll(async () => {
    bench = await openStepBench();
  });
  afterAll(async () => bench?.close());

  /** The passwords of today are of SCRAM, as they would be where the setting was changed after them. */
  async function adoptAnother(): Promise<void> {
    const ask: typeof bench.issuer.ask = (text, database) =>
      bench.issuer.ask(
        text.includes("PASSWORD") ? `SET password_encryption = 'scram-sha-256'; ${text}` : text,
        database,
      );
    let isOver = false;
    const registering = register({ ...bench, issuer: { ...bench.issuer, ask } }).finally(() => (isOver = true));
    const checking = (async () => {
      const { signal } = new AbortController();
      while (!isOver) {
        for (const { checkId } of await readDueChecks(bench.ledger, 10)) await runCheck(bench.deps, checkId, signal);
        await pause(20);
      }
    })();
    await Promise.all([registering, checking]);
  }

  it("invariant 16: a login that the target's format has no form for, before anything is issued", async () => {
    const orders = await bench.register();
    const odd = `it's "${newSecret().slice(0, 6)}"`;
    await bench.issuer.ask(`ALTER ROLE ${orders.logins[1]} RENAME TO "${odd.replaceAll('"', '""')}"`);
    await sql`
      UPDATE credentials SET config = jsonb_set(config, '{logins,1}', to_jsonb(${odd}::text))
      WHERE id = ${orders.credentialId}`.execute(bench.ledger.db);
    await editFile(orders.file, (await readFile(orders.file, "utf8")).replace(/^(DB_USER=)(.*)$/m, "$1'$2'"));
    const before = await readFile(orders.file, "utf8");
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    const { hold, phase } = await readRotation(bench, rotationId);
    expect({ phase, code: hold?.code }).toEqual({ phase: "reserved", code: "value_unfit" });
    expect(hold?.detail).toContain("Consumer shop");
    expect(hold?.detail).toContain("DB_USER");
    expect(await readFile(orders.file, "utf8")).toBe(before);
    expect(await auditActions(bench, rotationId)).not.toContain("operation.intended");
    await orders.shop.close();
  });

  it("invariant 16: a server that hashes by MD5, before anything is issued, with the statements that mend it", async () => {
    const orders = await bench.register();
    await bench.issuer.ask("ALTER SYSTEM SET password_encryption = 'md5'");
    await bench.issuer.ask("SELECT pg_reload_conf()");
    const rotationId = await orders.rotate();
    await bench.carry(rotationId);
    const { hold, phase } = await readRotation(bench, rotationId);
    await expect(adoptAnother()).rejects.toThrow("ALTER SYSTEM SET password_encryption");
    expect({ phase, code: hold?.code }).toEqual({ phase: "reserved", code: "transport_unverified" });
    expect(hold?.detail).toContain("ALTER SYSTEM SET password_encryption = 'scram-sha-256';");
    await bench.issuer.ask("ALTER SYSTEM RESET password_encryption");
    await bench.issuer.ask("SELECT pg_reload_conf()");
    await bench.answer(rotationId, "retry");
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "proven" });
    expect((await orders.shop.close()).failures).toEqual([]);
  });
});
