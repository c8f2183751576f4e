import { expect, it } from "vitest";
import { clockDifference, isMuch, roughly, worstFirst, worstOf } from "./look.ts";

it("the worst stands first, and what is equally bad in its order", () => {
  const looks = (["ok", "warn", "bad", "waits", "bad", "ok"] as const).map((state, index) => ({ state, index }));
  expect(worstFirst(looks).map(({ index }) => index)).toEqual([2, 4, 3, 1, 0, 5]);
  expect(worstOf(looks)).toBe("bad");
  expect(worstOf([])).toBe("ok");
});

it("a clock differs only by what the time of the asking cannot explain", () => {
  expect([clockDifference(5, 4, 6), clockDifference(9, 4, 6), clockDifference(1, 4, 6)]).toEqual([0, 3, -3]);
  expect([isMuch(5_000), isMuch(-5_001), isMuch(5_001)]).toEqual([false, true, true]);
});

it("a time is said in the largest unit that fits twice", () => {
  expect([0, 1_000, 119_000, 120_000, 7_200_000, 180_000_000].map(roughly)).toEqual([
    "0 seconds",
    "1 second",
    "119 seconds",
    "2 minutes",
    "2 hours",
    "2 days",
  ]);
});
