import { setTimeout } from "node:timers/promises";
import { sql } from "kysely";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Policy } from "../domain/policy.ts";
import { days, type Windows } from "../domain/routine.ts";
import { readDispatches } from "../ledger/carriers.ts";
import { declareFreeze, endFreeze } from "../ledger/freezes.ts";
import { settlePolicies } from "../ledger/settle-policies.ts";
import { openStepBench, type StepBench } from "../test/harness/step-bench.ts";
import type { Registered } from "../test/harness/registered.ts";
import { say } from "../test/harness/say.ts";

let bench: StepBench;
let orders: Registered;
let rotationId: string;

beforeAll(async () => {
  bench = await openStepBench();
});
afterAll(() => bench.close());
afterEach(async () => {
  await sql`UPDATE freezes SET ended_at = clock_timestamp()`.execute(bench.ledger.db);
  await orders.shop.close();
});

async function begin(order: "overlap" | "single-slot" = "overlap", policy: Partial<Policy> = {}): Promise<void> {
  orders = await bench.register({ order, policy: { disabledForMs: 0, ...policy } });
  rotationId = await orders.rotate();
}

const until = () => new Date(Date.now() + 3_600_000);
const freeze = async () =>
  (await declareFreeze(bench.ledger, {
    ...{ teamId: null, environmentId: null, reason: "the quarter ends", until: until(), actor: "tok_test" },
  })) ?? "";
const thaw = (id: string) => endFreeze(bench.ledger, id, "tok_test");

/** How long until it is asked again, rounded to minutes; undefined when it is not kept waiting. */
async function waits(step: "deliver" | "drain" | "guard" | "cut" | "end"): Promise<number | undefined> {
  const answer = await bench.take(rotationId, step);
  return answer.now === "wait" ? Math.round(answer.waitMs / 60_000) : undefined;
}

const phase = async () => (await bench.read(rotationId)).phase;

const intents = async (step: string) => {
  const { rows } = await sql`SELECT FROM operations WHERE rotation_id = ${rotationId} AND step = ${step}`.execute(
    bench.ledger.db,
  );
  return rows.length;
};

describe("a freeze that is declared during a rotation", () => {
  it("is looked at seldom, and at once when what it waits for has changed", async () => {
    await begin();
    await bench.reach(rotationId, "issued");
    const dispatched = async () => {
      const { silent, woken } = await readDispatches(bench.ledger.db, { silentMs: 1, atMost: 1_000 });
      return { silent: silent.includes(rotationId), woken: woken.includes(rotationId) };
    };
    await setTimeout(2);
    expect(await dispatched()).toEqual({ silent: true, woken: false });
    const frozen = await freeze();
    await waits("deliver");
    await setTimeout(2);
    expect(await dispatched()).toEqual({ silent: false, woken: false });
    await thaw(frozen);
    expect(await dispatched()).toEqual({ silent: false, woken: true });
    expect(await waits("deliver")).toBeUndefined();
    expect((await dispatched()).woken).toBe(false);
    const { credentialId } = orders;
    await sql`UPDATE rotations SET looks_by = clock_timestamp() + interval '1 minute' WHERE id = ${rotationId}`.execute(
      bench.ledger.db,
    );
    await bench.ledger.db.transaction().execute(async (trx) => settlePolicies(trx, sql`c.id = ${credentialId}`));
    expect((await dispatched()).woken).toBe(true);
  });

  it("keeps each effect that consumers can feel from happening, and nothing else; when it ends, it goes on", async () => {
    await begin();
    await bench.reach(rotationId, "issued");
    const first = await freeze();
    expect(await waits("deliver")).toBe(5);
    expect([await phase(), await intents("deliver")]).toEqual(["issued", 0]);
    await thaw(first);
    await bench.reach(rotationId, "drained");
    const second = await freeze();
    // Who comes meanwhile is to be seen before they are refused: it is drained again, and that waits.
    expect(await bench.take(rotationId, "disable")).toEqual({ now: "again" });
    expect([await phase(), await intents("disable")]).toEqual(["promoted", 0]);
    expect(await waits("drain")).toBe(1);
    expect(await phase()).toBe("promoted");
    await thaw(second);
    // The look that comes by itself.
    await sql`UPDATE rotations SET wait_until = NULL WHERE id = ${rotationId}`.execute(bench.ledger.db);
    await bench.reach(rotationId, "disabled");
    const third = await freeze();
    await waits("guard");
    expect(await phase()).toBe("disabled");
    await thaw(third);
    expect(await bench.carry(rotationId)).toMatchObject({ phase: "closed" });
  });

  it("is no other than a person's pause: what is resumed is drained again before anybody is refused, and that is on record", async () => {
    await begin();
    await bench.reach(rotationId, "drained");
    await say(bench, rotationId, { kind: "pause" });
    expect(await bench.take(rotationId, "disable")).toMatchObject({ now: "wait" });
    expect(await phase()).toBe("drained");
    await say(bench, rotationId, { kind: "resume" });
    expect(await bench.take(rotationId, "disable")).toEqual({ now: "done" });
    expect([await phase(), await intents("disable")]).toEqual(["promoted", 0]);
    const { rows } = await sql`
      SELECT FROM audit WHERE rotation_id = ${rotationId} AND action = 'rotation.draining-again'`.execute(
      bench.ledger.db,
    );
    expect(rows).toHaveLength(1);
    expect(await bench.carry(rotationId)).toMatchObject({ phase: "closed", direction: "forward" });
  });

  it("does not bind what is urgent", async () => {
    await begin();
    await bench.reach(rotationId, "issued");
    await freeze();
    expect(await waits("deliver")).toBe(5);
    await say(bench, rotationId, { kind: "expedite" });
    expect(await bench.carry(rotationId)).toMatchObject({ phase: "closed", direction: "forward" });
  });

  it("does not bind an undo: consumers go back to what works", async () => {
    await begin();
    await bench.reach(rotationId, "adopted");
    await freeze();
    await say(bench, rotationId, { kind: "abort" });
    expect(await bench.carry(rotationId)).toMatchObject({ phase: "closed", direction: "undo" });
  });
});

it("a person is not asked for evidence because a window was closed for long", async () => {
  await begin("overlap", { holdAfterMs: 60_000 });
  await bench.reach(rotationId, "issued");
  const frozen = await freeze();
  await waits("deliver");
  await sql`UPDATE rotations SET asked_since = asked_since - interval '1 day' WHERE id = ${rotationId}`.execute(
    bench.ledger.db,
  );
  await waits("deliver");
  expect((await bench.read(rotationId)).askedForMs).toBeLessThan(60_000);
  await thaw(frozen);
  await say(bench, rotationId, { kind: "abort" });
  await bench.carry(rotationId);
});

it("a single slot waits before it is cut, and not while its consumers are without", async () => {
  await begin("single-slot");
  await bench.reach(rotationId, "staged");
  const frozen = await freeze();
  expect(await waits("cut")).toBe(5);
  await thaw(frozen);
  await bench.reach(rotationId, "cut");
  const later = await freeze();
  expect(await waits("deliver")).toBeUndefined();
  await bench.reach(rotationId, "drained");
  expect(await waits("end")).toBe(5);
  await thaw(later);
  expect(await bench.carry(rotationId)).toMatchObject({ phase: "closed" });
});

it("windows as they were when it was reserved count beside those of today", async () => {
  const day = days[(new Date().getUTCDay() + 2) % 7] ?? "mon";
  const windows: Windows = { timeZone: "UTC", openings: [{ days: [day], from: "10:00", to: "11:00" }] };
  await begin("overlap", { windows });
  await bench.reach(rotationId, "issued");
  await sql`UPDATE credentials SET policy = policy - 'windows' WHERE id = ${orders.credentialId}`.execute(
    bench.ledger.db,
  );
  expect(await waits("deliver")).toBe(5);
  await say(bench, rotationId, { kind: "abort" });
  await bench.carry(rotationId);
});
