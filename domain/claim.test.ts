import { expect, test } from "vitest";
import { compareClaims } from "./claim.ts";

test("invariant 7: a later number outdates an earlier one of the same epoch", () => {
  expect(compareClaims({ epoch: 1, number: 2 }, { epoch: 1, number: 5 })).toBeLessThan(0);
  expect(compareClaims({ epoch: 1, number: 5 }, { epoch: 1, number: 2 })).toBeGreaterThan(0);
  expect(compareClaims({ epoch: 1, number: 5 }, { epoch: 1, number: 5 })).toBe(0);
});

test("invariant 7: a later epoch outdates every number of an earlier one", () => {
  expect(compareClaims({ epoch: 1, number: 900 }, { epoch: 2, number: 1 })).toBeLessThan(0);
  expect(compareClaims({ epoch: 2, number: 1 }, { epoch: 1, number: 900 })).toBeGreaterThan(0);
});
