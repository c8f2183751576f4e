import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { orders } from "../domain/order.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { advanceRotations as advanceRotationsIn } from "./advance-rotations.ts";
import { transact, type Ledger } from "./database.ts";

const advanceRotations = (ledger: Ledger, given: Parameters<typeof advanceRotationsIn>[1]) =>
  transact(ledger, (trx) => advanceRotationsIn(trx, given));

let test: TestLedger;

beforeAll(async () => {
  test = await withLedger();
});

async function phaseOf(rotationId: string): Promise<string | undefined> {
  const { rows } = await sql<{ phase: string }>`SELECT phase FROM rotations WHERE id = ${rotationId}`.execute(
    test.ledger.db,
  );
  return rows[0]?.phase;
}

const fromReserved = (rotationId: string) => ({ rotationId, order: "overlap" as const, from: "reserved" as const });

describe("advancing rotations", () => {
  it("walks the overlap order with one audit row a phase, in order", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    for (const from of orders.overlap.slice(0, -2))
      await advanceRotations(test.ledger, [{ rotationId, order: "overlap", from }]);
    expect(await phaseOf(rotationId)).toBe("proven");
    const { rows } = await sql<{ action: string }>`
      SELECT action FROM audit WHERE rotation_id = ${rotationId} ORDER BY id`.execute(test.ledger.db);
    expect(rows.map(({ action }) => action)).toEqual(orders.overlap.slice(0, -1).map((phase) => `rotation.${phase}`));
  });

  it("invariant 8: moves once however often it is told", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    await Promise.all([1, 2, 3].map(() => advanceRotations(test.ledger, [fromReserved(rotationId)])));
    expect(await phaseOf(rotationId)).toBe("issued");
    const { rows } = await sql<{ n: number }>`
      SELECT count(*) AS n FROM audit WHERE rotation_id = ${rotationId} AND action = 'rotation.issued'`.execute(
      test.ledger.db,
    );
    expect(rows[0]?.n).toBe(1);
  });

  it("invariant 7: refuses a late step of a phase that is over, and moves none of its fellows", async () => {
    const [late = "", fellow = ""] = await makeRotations(test.ledger, 2);
    await advanceRotations(test.ledger, [fromReserved(late)]);
    await advanceRotations(test.ledger, [{ rotationId: late, order: "overlap", from: "issued" }]);
    const both = advanceRotations(test.ledger, [fromReserved(late), fromReserved(fellow)]);
    await expect(both).rejects.toMatchObject({ code: "claim_outdated" });
    expect(await phaseOf(late)).toBe("delivered");
    expect(await phaseOf(fellow)).toBe("reserved");
  });

  it("refuses to move forward what is being undone", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    await sql`UPDATE rotations SET direction = 'undo' WHERE id = ${rotationId}`.execute(test.ledger.db);
    await expect(advanceRotations(test.ledger, [fromReserved(rotationId)])).rejects.toMatchObject({
      code: "claim_outdated",
    });
    expect(await phaseOf(rotationId)).toBe("reserved");
  });

  it("does not close, for closing carries an outcome", async () => {
    const [rotationId = ""] = await makeRotations(test.ledger, 1);
    const close = advanceRotations(test.ledger, [{ rotationId, order: "overlap", from: "proven" }]);
    await expect(close).rejects.toThrow("No step advances");
  });
});
