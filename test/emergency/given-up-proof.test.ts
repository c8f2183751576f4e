import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newSecret } from "../harness/postgres-issuer.ts";
import { versionsOf } from "../harness/say.ts";
import { openStepBench, type StepBench } from "../harness/step-bench.ts";
import { readRotation } from "../harness/world.ts";
import { carryAll, declare } from "./scene.ts";

let bench: StepBench;

beforeAll(async () => {
  bench = await openStepBench();
});
afterAll(async () => bench?.close());

describe("a person who gives up the proof while the consumers are cut off", () => {
  it.each([
    { order: "overlap", isFull: false, ended: "revoked", goesOn: "contain-unproven" },
    { order: "overlap", isFull: true, ended: "issued", goesOn: "contain-unproven" },
    { order: "single-slot", isFull: false, ended: "ended", goesOn: "contain-slot-unproven" },
  ] as const)(
    "invariant 5: $order, without room: $isFull: they get the new version, and nothing is called proven",
    async ({ order, isFull, ended, goesOn }) => {
      const orders = await bench.register({ order, policy: { holdAfterMs: 200 } });
      const [login = "", other = ""] = orders.logins;
      if (isFull) await bench.issuer.ask(`ALTER ROLE "${other}" LOGIN PASSWORD '${newSecret()}'`);
      const { credentialId } = orders;
      const { rotationId = "" } = await declare(bench, credentialId, { contain: true, deadlineMs: 300_000 });
      await bench.reach(rotationId, ended);
      const away = `host all ${login} 127.0.0.1/32 reject`;
      await bench.issuer.addRule(away);
      const isHeld = async () => (await readRotation(bench, rotationId)).hold?.code === "death_unproven";
      await carryAll(bench, credentialId, isHeld);
      await bench.issuer.removeRule(away);
      await bench.answer(rotationId, "accept");
      await carryAll(bench, credentialId);
      expect(await readRotation(bench, rotationId)).toMatchObject({ phase: "closed", outcome: "closed-unproven" });
      expect((await bench.read(rotationId)).order).toBe(goesOn);
      const states = Object.fromEntries(
        (await versionsOf(bench, credentialId)).map(({ number, state }) => [number, state]),
      );
      expect(states).toEqual({ 1: "accepted-unproven", 2: "live" });
      const held = orders.shop.report().held.at(-1);
      expect(await bench.issuer.logsIn(held?.user ?? "", held?.password ?? "", orders.database)).toBe("accepted");
      const { rows: said } = await sql<{ action: string }>`
        SELECT action FROM audit WHERE rotation_id = ${rotationId} AND action IN ('rotation.proven', 'emergency.unproven')`.execute(
        bench.ledger.db,
      );
      expect(said).toEqual([{ action: "emergency.unproven" }]);
      await orders.shop.close();
    },
  );
});
