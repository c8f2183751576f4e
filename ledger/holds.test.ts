import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { answerHold as answerHoldIn, openHolds as openHoldsIn, readAcceptedGaps, readOpenHolds } from "./holds.ts";
import { transact, type Ledger } from "./database.ts";

const openHolds = (ledger: Ledger, given: Parameters<typeof openHoldsIn>[1]) =>
  transact(ledger, (trx) => openHoldsIn(trx, given));
const answerHold = (ledger: Ledger, given: Parameters<typeof answerHoldIn>[1]) =>
  transact(ledger, (trx) => answerHoldIn(trx, given));

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

const asked = (rotationId: string, ...keys: string[]) => ({
  rotationId,
  code: "stranger_seen" as const,
  detail: "psql from 10.0.0.7 still uses orders_a. End it, or accept that it breaks.",
  gaps: keys.map((key) => ({ code: "stranger_seen" as const, key, text: key })),
});

const answer = (holdId: string, decision: "retry" | "accept") => ({
  holdId,
  decision,
  decidedBy: "tok_operator",
  reason: "seen",
});

async function openOne(rotationId: string, ...keys: string[]) {
  const [hold] = await openHolds(test.ledger, [asked(rotationId, ...keys)]);
  if (hold === undefined) throw new Error("no hold was opened");
  return hold;
}

describe("holds", () => {
  it("are numbered from 1 within their rotation, on many at once", async () => {
    const rotations = await makeRotations(test.ledger, 20);
    const holds = await openHolds(
      test.ledger,
      rotations.map((rotationId) => asked(rotationId, "stranger_seen:a")),
    );
    expect(holds.map(({ number }) => number)).toEqual(rotations.map(() => 1));
    expect((await readOpenHolds(test.ledger.db, rotations)).size).toBe(20);
  });

  it("stay as they are when opened again before an answer", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    const first = await openOne(rotationId, "stranger_seen:a");
    expect(await openHolds(test.ledger, [asked(rotationId, "stranger_seen:b")])).toEqual([]);
    expect((await readOpenHolds(test.ledger.db, [rotationId])).get(rotationId)).toEqual(first);
  });

  it("take the next number after an answer", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    const first = await openOne(rotationId, "stranger_seen:a");
    expect(await answerHold(test.ledger, answer(first.holdId, "retry"))).toBe(true);
    expect((await openOne(rotationId, "stranger_seen:a")).number).toBe(2);
  });

  it("let the first of two operators' answers stand", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    const { holdId } = await openOne(rotationId, "stranger_seen:a");
    const stood = await Promise.all(
      (["retry", "accept"] as const).map((decision) => answerHold(test.ledger, answer(holdId, decision))),
    );
    expect(stood.filter(Boolean)).toHaveLength(1);
    const { rows } = await sql<{ n: number }>`
      SELECT count(*) AS n FROM audit WHERE action = 'hold.answered' AND rotation_id = ${rotationId}`.execute(
      test.ledger.db,
    );
    expect(rows[0]?.n).toBe(1);
  });

  it("invariant 4: accept covers the gaps it named and no gap found later", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    const first = await openOne(rotationId, "stranger_seen:a");
    await answerHold(test.ledger, answer(first.holdId, "accept"));
    const second = await openOne(rotationId, "stranger_seen:b");
    await answerHold(test.ledger, answer(second.holdId, "retry"));
    expect(await readAcceptedGaps(test.ledger.db, rotationId)).toEqual(["stranger_seen:a"]);
  });

  it("are not opened on a closed rotation", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    await sql`
      UPDATE rotations SET phase = 'closed', outcome = 'undone', closed_at = clock_timestamp()
      WHERE id = ${rotationId}`.execute(test.ledger.db);
    expect(await openHolds(test.ledger, [asked(rotationId, "stranger_seen:a")])).toEqual([]);
  });
});
