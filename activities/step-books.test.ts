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

  it("wait for none that somebody else has locked", async () => {
    const ids = await makeRotations(test.ledger, 6);
    const [locked = "", ...others] = ids;
    const books = createStepBooks(test.ledger)(true);
    const begin = async (rotationId: string) => books.begin("issue", { rotationId, carrier: carrierOf(rotationId) });
    let late: Promise<unknown> = Promise.resolve();
    await transact(test.ledger, async (trx) => {
      await sql`SELECT FROM credentials WHERE id = (SELECT credential_id FROM rotations WHERE id = ${locked})
        FOR UPDATE`.execute(trx);
      // Two are asked for at once and alone, the others together with the one that is locked.
      const [first = "", second = "", ...last] = others;
      const answers = [first, second].map(begin);
      late = begin(locked);
      answers.push(...last.map(begin));
      expect((await Promise.all(answers)).map((one) => one?.acts)).toEqual(others.map(() => true));
    });
    expect(await late).toMatchObject({ acts: true });
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
