import { expect, test } from "vitest";
import { sayObstacle, sayTime } from "./say-obstacle.ts";

const untilMs = Date.parse("2027-01-07T08:00:00Z");

test("a window that opens is told by UTC and by the clocks of whoever wrote it", () => {
  const window = { kind: "window", untilMs } as const;
  expect(sayObstacle({ ...window, timeZone: "Europe/Berlin" })).toBe(
    "its window opens 2027-01-07 08:00 UTC (09:00 in Europe/Berlin)",
  );
  expect(sayObstacle({ ...window, timeZone: "America/New_York" })).toContain("(03:00 in America/New_York)");
  expect(sayObstacle({ ...window, timeZone: "UTC" })).toBe("its window opens 2027-01-07 08:00 UTC");
});

test("a freeze and a pause are told with their reason", () => {
  expect(sayObstacle({ kind: "freeze", untilMs, reason: "quarter's end" })).toBe(
    "a freeze lasts until 2027-01-07 08:00 UTC: quarter's end",
  );
  expect(sayObstacle({ kind: "pause", untilMs, reason: "moving" })).toBe(
    "its policy pauses it until 2027-01-07 08:00 UTC: moving",
  );
});

test("seconds are told where there are some", () => {
  expect(sayTime(untilMs + 7_000)).toBe("2027-01-07 08:00:07 UTC");
  expect(sayTime(untilMs + 7)).toBe("2027-01-07 08:00:00 UTC");
});
