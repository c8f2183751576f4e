import { afterEach, expect, it, vi } from "vitest";
import { createSeenAccepted } from "./seen-accepted.ts";

afterEach(() => void vi.restoreAllMocks());

it("what was seen accepted is fresh for less than a second, and nothing else is", () => {
  let now = 5_000;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  const seen = createSeenAccepted();
  expect(seen.isFresh("ver_a")).toBe(false);
  seen.note("ver_a");
  now += 999;
  expect([seen.isFresh("ver_a"), seen.isFresh("ver_b")]).toEqual([true, false]);
  now += 1;
  expect(seen.isFresh("ver_a")).toBe(false);
  seen.note("ver_b");
  expect([seen.isFresh("ver_a"), seen.isFresh("ver_b")]).toEqual([false, true]);
});
