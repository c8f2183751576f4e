import { readFile } from "node:fs/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { transact } from "../../ledger/database.ts";
import { openHolds } from "../../ledger/holds.ts";
import { readOperations } from "../../ledger/undo-progress.ts";
import type { Registered } from "../harness/registered.ts";
import { say, versionsOf } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";

describe("the proof of a death", () => {
  let bench: StepBench;

  beforeAll(async () => {
    bench = await openStepBench();
  });

  afterAll(async () => bench?.close());

  async function proofs(rotationId: string) {
    const { rows } = await sql<{ details: unknown }>`
      SELECT details FROM audit WHERE rotation_id = ${rotationId} AND action = 'version.proven-dead' ORDER BY id`.execute(
      bench.ledger.db,
    );
    return rows.map(({ details }) => details);
  }

  const alter = async (orders: Registered, how: string) => bench.issuer.ask(`ALTER ROLE ${orders.logins[0]} ${how}`);

  it("invariant 5: shows its controls to whoever is asked, and keeps them in the trail", async () => {
    const orders = await bench.register({ policy: { holdAfterMs: 400 } });
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "revoked");
    await alter(orders, "LOGIN");
    await bench.carry(rotationId);
    const { hold } = await readRotation(bench, rotationId);
    expect(hold).toMatchObject({ code: "death_unproven" });
    expect(hold?.detail).toContain("Controls: the newest live version: accepted; the catalogue: live.");
    expect(JSON.stringify(hold?.gaps)).toContain("the catalogue: live");
    expect(await proofs(rotationId)).toEqual([]);
    await alter(orders, "NOLOGIN");
    await bench.answer(rotationId, "retry");
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "proven" });
    const controls = "the newest live version: accepted; the catalogue: ended";
    expect(await proofs(rotationId)).toEqual([{ version: 1, code: "28P01", controls, inRow: 2 }]);
    await orders.shop.close();
  });

  it("invariant 15: a version that is revoked once more leaves no operation open", async () => {
    const orders = await bench.register();
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "revoked");
    await alter(orders, `LOGIN PASSWORD '${orders.password}'`);
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ outcome: "proven" });
    const operations = await readOperations(bench.ledger.db, rotationId);
    expect(operations).toContainEqual({ step: "revoke", target: "again", isDone: true });
    expect(operations.filter(({ isDone }) => !isDone)).toEqual([]);
    await orders.shop.close();
  });

  it("invariant 5: given up for the former version is not given up for the candidate", async () => {
    const orders = await bench.register({ order: "single-slot" });
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "drained");
    const gaps = [{ code: "still_in_use", key: "still_in_use:sessions", text: "Sessions that come back: 1." }] as const;
    await transact(bench.ledger, async (trx) =>
      openHolds(trx, [{ rotationId, code: "still_in_use", detail: "Sessions that come back: 1.", gaps }]),
    );
    await bench.answer(rotationId, "accept");
    expect(await bench.read(rotationId)).toMatchObject({ acceptedUnproven: true });
    await say(bench, rotationId, { kind: "abort" });
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ hold: null, outcome: "undone" });
    expect(await versionsOf(bench, orders.credentialId)).toMatchObject([
      { state: "live", kept: true },
      { state: "proven-dead", kept: false },
    ]);
    expect(await proofs(rotationId)).toMatchObject([{ version: 2 }]);
    await orders.shop.close();
  });

  it("invariant 5: in a single slot the candidate's sessions end before it counts as dead, and no others", async () => {
    const orders = await bench.register({ order: "single-slot", policy: { holdAfterMs: 600 } });
    const { owner, database } = orders;
    const early = await bench.issuer.openSession(owner, orders.password, { database, name: "early" });
    const rotationId = await orders.rotate();
    await bench.reach(rotationId, "delivered");
    const candidate = /DB_PASSWORD=(.*)/.exec(await readFile(orders.file, "utf8"))?.[1] ?? "";
    const lingering = await bench.issuer.openSession(owner, candidate, { database, name: "lingering" });
    await say(bench, rotationId, { kind: "abort" });
    await bench.carry(rotationId);
    const hold = await bench.answer(rotationId, "accept");
    expect(hold.detail).toContain("lingering");
    await bench.carry(rotationId);
    expect(await readRotation(bench, rotationId)).toMatchObject({ hold: null, outcome: "undone" });
    const left = await bench.issuer.ask(
      `SELECT application_name AS name FROM pg_stat_activity WHERE application_name IN ('early', 'lingering')`,
    );
    expect(left).toEqual([{ name: "early" }]);
    await early.end();
    await lingering.end().catch(() => undefined);
    await orders.shop.close();
  });
});
