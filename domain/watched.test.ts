import { expect, test } from "vitest";
import { defaultPolicy } from "./policy.ts";
import { watchedBeforeEndMs } from "./watched.ts";

test("the end of the grace is watched for several periods of a client that comes each half minute", () => {
  expect(watchedBeforeEndMs(defaultPolicy)).toBeGreaterThanOrEqual(3 * 30_000);
});

test("no longer than there is time, and the whole observation where that is longer", () => {
  expect(watchedBeforeEndMs({ graceMs: 1_000, observeForMs: 500 })).toBe(1_500);
  expect(watchedBeforeEndMs({ graceMs: 3_600_000, observeForMs: 0 })).toBe(90_000);
  expect(watchedBeforeEndMs({ graceMs: 60_000, observeForMs: 600_000 })).toBe(600_000);
  expect(watchedBeforeEndMs({ graceMs: 0, observeForMs: 0 })).toBe(0);
});
