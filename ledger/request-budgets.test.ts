import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { createRequestBudgets, keptOf, type RequestBudgets } from "./request-budgets.ts";

let test: TestLedger;
beforeAll(async () => {
  test = await withLedger();
});
afterAll(() => test.close());

const hour = 3_600_000;

/** Asks so often at once, in turns of the workers; how many were let go. */
async function letGo(workers: readonly RequestBudgets[], id: string, times: number, isUrgent: boolean) {
  const ask = async (_: unknown, each: number) =>
    workers[each % workers.length]?.spend({ id, requestsPerSecond: 10 }, isUrgent);
  const waits = await Promise.all(Array.from({ length: times }, ask));
  return waits.filter((waitMs) => waitMs === 0).length;
}

describe("a budget of ten requests, of which two workers spend", () => {
  const two = () => [createRequestBudgets(test.ledger, hour), createRequestBudgets(test.ledger, hour)];

  it("lets eight of routine work go, keeps two for emergencies, and never lets an eleventh go", async () => {
    const workers = two();
    expect(await letGo(workers, "routine-first", 12, false)).toBe(8);
    expect(await letGo(workers, "routine-first", 5, true)).toBe(2);
    expect(await letGo(two(), "routine-first", 4, true)).toBe(0);
  });

  it("lets an emergency spend all of it", async () => {
    expect(await letGo(two(), "urgent-first", 12, true)).toBe(10);
    expect(await letGo(two(), "urgent-first", 2, false)).toBe(0);
  });

  it("is one connection's alone", async () => {
    expect(await letGo(two(), "one", 12, true)).toBe(10);
    expect(await letGo(two(), "another", 12, true)).toBe(10);
  });

  it("is not gone for as long as a clock was set back", async () => {
    const id = "set-back";
    const inAnHour = Date.now() + hour;
    await sql`INSERT INTO request_budgets (key, points, expire) VALUES (${`all:${id}`}, 10, ${inAnHour})`.execute(
      test.ledger.db,
    );
    const budgets = createRequestBudgets(test.ledger, 60_000);
    const spend = async () => budgets.spend({ id, requestsPerSecond: 10 }, true);
    expect([await spend(), await spend()]).toEqual([1, 0]);
  });

  it("says when to ask again, and is whole again then", async () => {
    const budgets = createRequestBudgets(test.ledger, 200);
    await letGo([budgets], "again", 10, true);
    const waitMs = await budgets.spend({ id: "again", requestsPerSecond: 10 }, true);
    expect(waitMs).toBeLessThanOrEqual(200);
    await expect
      .poll(async () => budgets.spend({ id: "again", requestsPerSecond: 10 }, true), { interval: waitMs + 1 })
      .toBe(0);
  });
});

it("of two requests a second one is kept, of a hundred twenty", () => {
  expect([2, 3, 9, 10, 100].map(keptOf)).toEqual([1, 1, 1, 2, 20]);
});
