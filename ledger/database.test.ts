import { sql, type Kysely } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { transact } from "./database.ts";
import type { Tables } from "./tables.ts";

describe("a transaction that the ledger ends in favour of another", () => {
  let opened: TestLedger;

  beforeAll(async () => {
    opened = await withLedger();
    await sql`INSERT INTO teams (id, name) VALUES ('one', 'one'), ('two', 'two')`.execute(opened.ledger.db);
  });

  afterAll(async () => opened.close());

  const lock = (trx: Kysely<Tables>, id: string) => sql`SELECT FROM teams WHERE id = ${id} FOR UPDATE`.execute(trx);

  test("is begun again: two that lock in opposite orders both end", async () => {
    const { ledger } = opened;
    const begun = { one: Promise.withResolvers<void>(), two: Promise.withResolvers<void>() };
    let attempts = 0;
    const both = (["one", "two"] as const).map(async (first) => {
      const second = first === "one" ? "two" : "one";
      return transact(ledger, async (trx) => {
        attempts += 1;
        await lock(trx, first);
        begun[first].resolve();
        await begun[second].promise;
        await lock(trx, second);
        return first;
      });
    });
    expect(await Promise.all(both)).toEqual(["one", "two"]);
    expect(attempts).toBe(3);
  });

  test.each(["40P01", "40001"])(
    "is begun a few times and no more: %s is then for whoever asked to try later",
    async (code) => {
      let attempts = 0;
      const failing = transact(opened.ledger, async (trx) => {
        attempts += 1;
        await sql.raw(`DO $$ BEGIN RAISE EXCEPTION 'in the way' USING ERRCODE = '${code}'; END $$`).execute(trx);
      });
      await expect(failing).rejects.toMatchObject({ name: "TransientError", code: "ledger_busy" });
      expect(attempts).toBe(4);
    },
  );
});

describe("a ledger whose connection dies while it is lent out", () => {
  let opened: TestLedger;

  beforeAll(async () => {
    opened = await withLedger();
  });

  afterAll(async () => opened.close());

  test("between two statements it ends no process: the next statement says that the ledger did not answer", async () => {
    const { ledger } = opened;
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException").on("uncaughtException", note);
    try {
      const failing = transact(ledger, async (trx) => {
        const { rows } = await sql<{ pid: number }>`SELECT pg_backend_pid() AS pid`.execute(trx);
        await sql`SELECT pg_terminate_backend(${rows[0]?.pid ?? 0}, 5000)`.execute(ledger.db);
        // Whoever reads what the server said last does so before this answer, which comes after it.
        await sql`SELECT 1`.execute(ledger.db);
        await sql`SELECT 1`.execute(trx);
      });
      await expect(failing).rejects.toMatchObject({ code: "ledger_unreachable" });
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of before) process.on("uncaughtException", listener);
    }
    expect(uncaught).toEqual([]);
    expect((await sql<{ one: number }>`SELECT 1 AS one`.execute(ledger.db)).rows).toEqual([{ one: 1 }]);
  });
});
