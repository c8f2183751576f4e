import { sql } from "kysely";
import { afterAll, beforeAll, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { openLedger, type Ledger } from "./database.ts";

let test: TestLedger;
let ledger: Ledger;
beforeAll(async () => {
  test = await withLedger();
  ledger = openLedger(test.url, { connections: 1, prepares: true });
});
afterAll(async () => {
  await ledger?.close();
  await test.close();
});

const prepared = async () => {
  const { rows } = await sql<{ statement: string }>`
    SELECT statement FROM pg_prepared_statements WHERE statement LIKE '%of this test%'`.execute(ledger.db);
  return rows.map(({ statement }) => statement);
};

it("a statement with parameters is prepared once, and answers by those that it is given", async () => {
  const ask = async (given: number) =>
    (await sql<{ n: number }>`SELECT ${given}::int + 1 AS n /* of this test */`.execute(ledger.db)).rows[0]?.n;
  expect([await ask(1), await ask(2), await ask(40)]).toEqual([2, 3, 41]);
  expect(await prepared()).toEqual(["SELECT $1::int + 1 AS n /* of this test */"]);
});

it("one that fails is prepared no less, and fails again with its own error", async () => {
  const ask = async (given: string) => sql`SELECT ${given}::text::int /* fails, of this test */`.execute(ledger.db);
  await expect(ask("x")).rejects.toMatchObject({ code: "22P02" });
  await expect(ask("y")).rejects.toMatchObject({ code: "22P02" });
  expect((await ask("3")).rows).toEqual([{ int4: 3 }]);
});
