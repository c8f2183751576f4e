import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { transact } from "./database.ts";

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
