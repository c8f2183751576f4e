import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { OperatorNeededError, PermanentError, type RekeyError } from "../domain/errors.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { beginSteps } from "./begin-steps.ts";
import { failSteps, finishSteps, waitSteps } from "./finish-steps.ts";
import { readOpenHolds } from "./holds.ts";
import { readCases, type RotationCase } from "./rotation-cases.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

const carrier = { workflow: "rotate/test", run: "run" };

/** A rotation that is adopting, and an attempt of that. */
async function adopting(): Promise<RotationCase> {
  const [rotationId = ""] = await makeRotations(test.ledger, 1);
  await sql`UPDATE rotations SET phase = 'delivered', attempts = 3 WHERE id = ${rotationId}`.execute(test.ledger.db);
  return begin(rotationId, "adopt");
}

async function begin(rotationId: string, step: "adopt" | "promote" | "drain" | "undo"): Promise<RotationCase> {
  await beginSteps(test.ledger, { step, carried: [{ rotationId, carrier }] });
  const one = (await readCases(test.ledger.db, [rotationId])).get(rotationId);
  if (one === undefined) throw new Error("The rotation is gone.");
  return one;
}

async function standing(rotationId: string) {
  const { rows } = await sql<{ phase: string; direction: string; attempts: number; waits: boolean }>`
    SELECT phase, direction, attempts, wait_until IS NOT NULL AS waits FROM rotations
    WHERE id = ${rotationId}`.execute(test.ledger.db);
  return { ...rows[0], hold: (await readOpenHolds(test.ledger.db, [rotationId])).get(rotationId)?.code };
}

const permanent = new PermanentError("internal", "Nothing can be done. Look at the log.");
const operator = new OperatorNeededError("target_drift", "Somebody changed the target. Put it back, then retry.");

const fail = async ({ rotationId, lookedAt }: RotationCase, step: string, error: RekeyError) =>
  (await failSteps(test.ledger, [{ rotationId, step, lookedAt, error }])).get(rotationId);

/** What the rotation may have gone on to since an attempt to adopt began. */
const meanwhile = {
  "another attempt has begun": async (rotationId: string) => begin(rotationId, "adopt"),
  "it has gone on": async (rotationId: string) => {
    await sql`UPDATE rotations SET phase = 'promoted' WHERE id = ${rotationId}`.execute(test.ledger.db);
    return begin(rotationId, "drain");
  },
  "it is undone": async (rotationId: string) => {
    await sql`UPDATE rotations SET direction = 'undo' WHERE id = ${rotationId}`.execute(test.ledger.db);
    return begin(rotationId, "undo");
  },
};

describe("an attempt without a turn that comes late", () => {
  it.each(Object.entries(meanwhile))("invariant 7: decides nothing when %s", async (_, goOn) => {
    const late = await adopting();
    const { rotationId, order, phase: from, lookedAt } = late;
    await goOn(rotationId);
    const before = await standing(rotationId);
    for (const error of [permanent, operator]) {
      expect(await fail(late, "adopt", error)).toMatchObject({ now: "wait" });
      expect(await standing(rotationId)).toEqual(before);
    }
    await waitSteps(test.ledger, [{ rotationId, direction: "forward", lookedAt, waitMs: 60_000 }]);
    expect(await standing(rotationId)).toEqual(before);
    const finish = finishSteps(test.ledger, [{ rotationId, order, from, lookedAt }]);
    await expect(finish).rejects.toMatchObject({ code: "claim_outdated" });
    expect(await standing(rotationId)).toEqual(before);
  });

  it("invariant 7: of an undo decides nothing when another has begun", async () => {
    const { rotationId } = await adopting();
    await sql`UPDATE rotations SET direction = 'undo' WHERE id = ${rotationId}`.execute(test.ledger.db);
    const late = await begin(rotationId, "undo");
    await begin(rotationId, "undo");
    const before = await standing(rotationId);
    const lost = new PermanentError("claim_outdated", "A newer attempt has taken over.");
    for (const error of [permanent, operator, lost]) {
      expect(await fail(late, "undo", error)).toMatchObject({ now: "wait" });
      expect(await standing(rotationId)).toEqual(before);
    }
  });

  it("has nothing to say about a rotation that is closed", async () => {
    const late = await adopting();
    await sql`UPDATE rotations SET phase = 'closed', outcome = 'undone', closed_at = clock_timestamp()
      WHERE id = ${late.rotationId}`.execute(test.ledger.db);
    expect(await fail(late, "adopt", permanent)).toEqual({ now: "over" });
  });
});

describe("the attempt that began last", () => {
  it("is heard: it waits, it holds, it finishes", async () => {
    await adopting();
    const one = await adopting();
    const { rotationId, order, phase: from, lookedAt } = one;
    await waitSteps(test.ledger, [{ rotationId, direction: "forward", lookedAt, waitMs: 60_000 }]);
    expect(await standing(rotationId)).toMatchObject({ attempts: 0, waits: true });
    await finishSteps(test.ledger, [{ rotationId, order, from, lookedAt }]);
    expect(await standing(rotationId)).toMatchObject({ phase: "adopted" });
    await fail(one, "promote", operator);
    expect(await standing(rotationId)).toMatchObject({ hold: "target_drift" });
  });
});
