import { expect, test } from "vitest";
import type { Scene } from "./oracle.ts";
import { noticedTrouble } from "./oracle-sentinel.ts";

// Cut at 10 s; the former value is back, and whoever came in meanwhile ended, at 20 s.
const cut = { step: "cut", from: 10_000, until: 11_000 };
const cutBack = { step: "cut-back", from: 18_000, until: 20_000 };

const noticed = (order: string, operations: readonly object[], code: string, beganAt: number, held: number) =>
  noticedTrouble({ order, rotationId: "one", ledger: () => Promise.resolve(operations) } as unknown as Scene, {
    logins: 100,
    statements: 100,
    failures: [code],
    troubles: [{ code, beganAt, held }],
    held: [],
  });

test.each([
  ["refused between cut and return", "28P01", 15_000, 0],
  ["refused between return of the value and of the file", "28P01", 15_000, 2],
  ["ended while the former value came back", "57P01", 19_000, 2],
  ["ended then, with nothing delivered to its file", "57P01", 19_000, 0],
] as const)("a single slot's outage: %s", async (_, code, beganAt, held) => {
  expect(await noticed("single-slot", [cut, cutBack], code, beganAt, held)).toEqual([]);
});

test.each([
  ["a session that began before the cut and was ended", "57P01", 9_000, 0],
  ["whoever came in after all was back", "57P01", 21_000, 0],
  ["whoever holds the new value", "57P01", 19_000, 1],
  ["a refusal long before the cut", "28P01", 5_000, 0],
  ["another trouble", "42501", 15_000, 0],
] as const)("invariant 1: no outage excuses %s", async (_, code, beganAt, held) => {
  expect(await noticed("single-slot", [cut, cutBack], code, beganAt, held)).toHaveLength(1);
});

test("invariant 1: where nothing was cut back nobody is ended, and an overlap has no outage", async () => {
  expect(await noticed("single-slot", [cut], "57P01", 15_000, 0)).toHaveLength(1);
  expect(await noticed("overlap", [cut, cutBack], "28P01", 15_000, 0)).toHaveLength(1);
});
