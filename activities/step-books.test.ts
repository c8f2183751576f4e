import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { transact } from "../ledger/database.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { makeRotations } from "../test/harness/rows.ts";
import { createStepBooks } from "./step-books.ts";

let test: TestLedger;
beforeAll(async () => {
  test = await withLedger();
});
afterAll(() => test.close());

const carrierOf = (rotationId: string) => ({ workflow: `rotate/${rotationId}`, run: "run", isUrgent: true });

describe("steps of many rotations that begin at one time", () => {
  it("each have their turn and their carrier", async () => {
    const ids = await makeRotations(test.ledger, 30);
    const books = createStepBooks(test.ledger)(true);
    const begun = await Promise.all(
      ids.map(async (rotationId) => books.begin("issue", { rotationId, carrier: carrierOf(rotationId) })),
    );
    expect(begun.map((one) => one?.acts === true && one.turn?.rotationId)).toEqual(ids);
    const { rows } = await sql`
      SELECT id FROM rotations WHERE carrier_workflow = 'rotate/' || id AND id = ANY(${[...ids]})`.execute(
      test.ledger.db,
    );
    expect(rows).toHaveLength(30);
    const cases = await Promise.all(ids.map(books.read));
    expect(cases.map((one) => one?.rotationId)).toEqual(ids);
  });

  it("wait for none that somebody else has locked, however many those are", async () => {
    const ids = await makeRotations(test.ledger, 12);
    const [locked, others] = [ids.slice(0, 6), ids.slice(6)];
    const books = createStepBooks(test.ledger)(true);
    const begin = async (rotationId: string) => books.begin("issue", { rotationId, carrier: carrierOf(rotationId) });
    let late: Promise<unknown>[] = [];
    await transact(test.ledger, async (trx) => {
      await sql`SELECT FROM credentials WHERE id IN (SELECT credential_id FROM rotations WHERE id = ANY(${locked}))
        FOR UPDATE`.execute(trx);
      late = locked.map(begin);
      expect((await Promise.all(others.map(begin))).map((one) => one?.acts)).toEqual(others.map(() => true));
    });
    expect(await Promise.all(late)).toMatchObject(locked.map(() => ({ acts: true })));
  });

  it("of one rotation have each a claim of its own", async () => {
    const [rotationId = "", ...others] = await makeRotations(test.ledger, 4);
    const books = createStepBooks(test.ledger)(true);
    const begin = async (id: string) => books.begin("issue", { rotationId: id, carrier: carrierOf(id) });
    const begun = await Promise.all([...others, rotationId, rotationId, rotationId].map(begin));
    const claims = begun.slice(others.length).map((one) => (one?.acts === true ? one.turn?.claim.number : undefined));
    expect(new Set(claims).size).toBe(3);
  });

  it("are told when there is no such rotation", async () => {
    const [known = ""] = await makeRotations(test.ledger, 1);
    const books = createStepBooks(test.ledger)(false);
    const unknown = "rot_00000000000000000000000000";
    const begun = await Promise.all(
      [unknown, known, unknown].map(async (rotationId) =>
        books.begin("issue", { rotationId, carrier: carrierOf(rotationId) }),
      ),
    );
    expect(begun.map((one) => one?.acts)).toEqual([undefined, true, undefined]);
  });
});
