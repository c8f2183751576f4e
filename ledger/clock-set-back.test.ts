import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { beginSteps } from "./begin-steps.ts";
import { readDispatches } from "./carriers.ts";
import { waitSteps } from "./finish-steps.ts";
import { readCases } from "./rotation-cases.ts";
import { readWatchedMs, recordUsage } from "./usage-samples.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

const carrier = { workflow: "rotate/test", run: "run" };
const limits = { silentMs: 90_000, atMost: 100 };

async function begin(rotationId: string) {
  const begun = await beginSteps(test.ledger, { step: "adopt", carried: [{ rotationId, carrier }] });
  return begun.get(rotationId);
}

/** A rotation that waits for its next look, in an hour. */
async function waiting(): Promise<string> {
  const [rotationId = ""] = await makeRotations(test.ledger, 1);
  await sql`UPDATE rotations SET phase = 'delivered' WHERE id = ${rotationId}`.execute(test.ledger.db);
  await begin(rotationId);
  const one = await read(rotationId);
  const { lookedAt } = one;
  await waitSteps(test.ledger, [{ rotationId, direction: "forward", lookedAt, waitMs: 3_600_000 }]);
  return rotationId;
}

async function read(rotationId: string) {
  const one = (await readCases(test.ledger.db, [rotationId])).get(rotationId);
  if (one === undefined) throw new Error("The rotation is gone.");
  return one;
}

/** As if the ledger's clock had been set back by a day since everything was written. */
async function setBack(rotationId: string): Promise<void> {
  await sql`
    UPDATE rotations SET wait_until = wait_until + interval '1 day', looked_at = looked_at + interval '1 day',
      asked_since = asked_since + interval '1 day', phase_since = phase_since + interval '1 day',
      back_since = clock_timestamp() + interval '1 day'
    WHERE id = ${rotationId}`.execute(test.ledger.db);
  await sql`UPDATE usage_samples SET at = at + interval '1 day' WHERE rotation_id = ${rotationId}`.execute(
    test.ledger.db,
  );
}

describe("a clock of the ledger that is set back", () => {
  it("invariant 9: makes nobody wait longer than the wait was", async () => {
    const rotationId = await waiting();
    expect(await begin(rotationId)).toMatchObject({ acts: false, answer: { now: "wait" } });
    await setBack(rotationId);
    expect(await begin(rotationId)).toMatchObject({ acts: true });
  });

  it("invariant 9: hides no rotation whose carrier is silent", async () => {
    const rotationId = await waiting();
    expect((await readDispatches(test.ledger.db, limits)).silent).not.toContain(rotationId);
    await setBack(rotationId);
    expect((await readDispatches(test.ledger.db, limits)).silent).toContain(rotationId);
  });

  it("invariant 9: starts the times anew after which a person is asked, and loses none of the samples after", async () => {
    const rotationId = await waiting();
    await recordUsage(test.ledger, rotationId, { at: "2026-01-01T00:00:00.000Z", sessions: {} });
    await setBack(rotationId);
    await begin(rotationId);
    const { inPhaseMs, askedForMs } = await read(rotationId);
    expect(inPhaseMs).toBeGreaterThanOrEqual(0);
    expect(askedForMs).toBeGreaterThanOrEqual(0);
    expect(await readWatchedMs(test.ledger.db, rotationId)).toBeUndefined();
    await recordUsage(test.ledger, rotationId, { at: "2026-01-01T00:00:01.000Z", sessions: {} });
    expect(await readWatchedMs(test.ledger.db, rotationId)).toBeGreaterThanOrEqual(0);
  });
});
