import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { PermanentError } from "../domain/errors.ts";
import type { StepAnswer } from "../domain/standing.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { transact } from "./database.ts";
import { failSteps } from "./finish-steps.ts";
import { readOpenHolds } from "./holds.ts";
import { takeTurns, type Turn } from "./operations.ts";
import { readCases } from "./rotation-cases.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

const attempts = 3;

async function rotation(direction: "forward" | "undo"): Promise<string> {
  const [rotationId = ""] = await makeRotations(test.ledger, 1);
  const policy = JSON.stringify({ attempts, retryFirstMs: 1, retryLongestMs: 1 });
  await sql`
    UPDATE rotations SET phase = 'drained', direction = ${direction}, policy = policy || ${policy}::jsonb
    WHERE id = ${rotationId}`.execute(test.ledger.db);
  return rotationId;
}

const step = "disable";

async function take(rotationId: string): Promise<Turn | undefined> {
  return (await transact(test.ledger, async (trx) => takeTurns(trx, [{ rotationId, step }])))[0];
}

async function fail(rotationId: string, turn: Turn | undefined): Promise<StepAnswer | undefined> {
  const error = new PermanentError("claim_outdated", "The role carries a later claim. Nothing was done.");
  const lookedAt = (await readCases(test.ledger.db, [rotationId])).get(rotationId)?.lookedAt ?? "";
  const failure = { rotationId, step: turn === undefined ? "undo" : step, turn, lookedAt, error };
  return (await failSteps(test.ledger, [failure])).get(rotationId);
}

async function standing(rotationId: string) {
  const { rows } = await sql<{ attempts: number; direction: string }>`
    SELECT attempts, direction FROM rotations WHERE id = ${rotationId}`.execute(test.ledger.db);
  return { ...rows[0], hold: (await readOpenHolds(test.ledger.db, [rotationId])).get(rotationId)?.code };
}

describe("a target that says that the claim is outdated", () => {
  it.each(["forward", "undo"] as const)(
    "invariant 9: to an attempt that has its turn, going %s: counted, then a person is asked",
    async (direction) => {
      const rotationId = await rotation(direction);
      for (let attempt = 1; attempt <= attempts; attempt += 1) {
        expect(await standing(rotationId)).toEqual({ attempts: attempt - 1, direction, hold: undefined });
        // An undo takes its turns by itself, so that its failure carries none.
        await fail(rotationId, direction === "undo" ? undefined : await take(rotationId));
      }
      expect(await standing(rotationId)).toEqual({ attempts, direction, hold: "claim_outdated" });
    },
  );

  it("invariant 7: to an attempt that has lost its turn: it stands down and leaves no trace", async () => {
    const rotationId = await rotation("forward");
    const late = await take(rotationId);
    await take(rotationId);
    for (let attempt = 0; attempt <= attempts; attempt += 1)
      expect(await fail(rotationId, late)).toMatchObject({ now: "wait" });
    expect(await standing(rotationId)).toEqual({ attempts: 0, direction: "forward", hold: undefined });
    const { rows } = await sql`
      SELECT id FROM audit WHERE rotation_id = ${rotationId} AND action = 'step.failed'`.execute(test.ledger.db);
    expect(rows).toEqual([]);
  });
});
