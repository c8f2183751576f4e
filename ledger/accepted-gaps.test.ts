import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { transact } from "./database.ts";
import { answerHold, openHolds, readAcceptedGaps } from "./holds.ts";

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

async function accept(rotationId: string, key: string): Promise<void> {
  await transact(test.ledger, async (trx) => {
    const gap = { code: "evidence_missing", key, text: key } as const;
    const [hold] = await openHolds(trx, [{ rotationId, code: "evidence_missing", detail: key, gaps: [gap] }]);
    const decided = { decision: "accept", decidedBy: "tok_operator", reason: "seen" } as const;
    expect(await answerHold(trx, { holdId: hold?.holdId ?? "", ...decided })).toBe(true);
  });
}

describe("what a person accepted", () => {
  it("invariant 10: going forward does not count going back: the same consumer is asked for anew", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    await accept(rotationId, "evidence_missing:con_shop");
    expect(await readAcceptedGaps(test.ledger.db, rotationId)).toEqual(["evidence_missing:con_shop"]);
    await sql`UPDATE rotations SET direction = 'undo' WHERE id = ${rotationId}`.execute(test.ledger.db);
    expect(await readAcceptedGaps(test.ledger.db, rotationId)).toEqual([]);
    await accept(rotationId, "evidence_missing:con_report");
    expect(await readAcceptedGaps(test.ledger.db, rotationId)).toEqual(["evidence_missing:con_report"]);
  });
});
