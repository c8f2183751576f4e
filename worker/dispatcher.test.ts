import type { Client } from "@temporalio/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Ledger } from "../ledger/database.ts";
import { withLedger, type TestLedger } from "../test/harness/ledger.ts";
import { createDispatcher } from "./dispatcher.ts";

let test: TestLedger;
beforeAll(async () => {
  test = await withLedger();
});
afterAll(() => test.close());

it("the dispatcher tells once that the ledger is away, however often it tries, and once that it is back", async () => {
  const told: string[] = [];
  let turns = 0;
  const ledger: Ledger = {
    ...test.ledger,
    get db() {
      turns += 1;
      if (turns <= 3) throw new Error("away");
      return test.ledger.db;
    },
  };
  const dispatcher = createDispatcher({
    ledger,
    client: {} as Client, // an empty ledger has nothing for Temporal
    everyMs: 1,
    onTrouble: (error) => told.push(String(error)),
    onRecovered: (failures) => told.push(`${failures} failures`),
  });
  dispatcher.start();
  await expect.poll(() => turns).toBeGreaterThan(5);
  await dispatcher.stop();
  expect(told).toEqual(["Error: away", "3 failures"]);
});
