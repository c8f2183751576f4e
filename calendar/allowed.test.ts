import { expect, test } from "vitest";
import { days, type Windows } from "../domain/routine.ts";
import { allowedFrom, neverMeet, obstaclesAt, obstaclesFrom, type Restrictions } from "./allowed.ts";

const at = (text: string): number => Date.parse(text);
const iso = (ms: number | undefined): string => (ms === undefined ? "never" : new Date(ms).toISOString());
const nights: Windows = { timeZone: "UTC", openings: [{ days: [...days], from: "22:00", to: "04:00" }] };
const freeze = (from: string, until: string) => ({
  ...{ id: "frz_1", reason: "quarter's end" },
  fromMs: at(from),
  untilMs: at(until),
});
const only = (some: Partial<Restrictions>): Restrictions => ({ windows: [], freezes: [], ...some });

test("nothing forbids what nothing restricts", () => {
  expect(obstaclesAt(only({}), 5)).toEqual([]);
  expect(allowedFrom(only({}), 5)).toBe(5);
});

test("each obstacle is named with its end, and the last of them decides", () => {
  const restrictions = only({
    windows: [nights],
    freezes: [freeze("2026-01-01T00:00Z", "2026-01-03T02:00Z")],
    pause: { reason: "migration", until: "2026-01-02T12:00:00Z" },
  });
  expect(obstaclesAt(restrictions, at("2026-01-02T10:00Z"))).toEqual([
    { kind: "window", untilMs: at("2026-01-02T22:00Z"), timeZone: "UTC" },
    { kind: "freeze", untilMs: at("2026-01-03T02:00Z"), reason: "quarter's end" },
    { kind: "pause", untilMs: at("2026-01-02T12:00Z"), reason: "migration" },
  ]);
  expect(iso(allowedFrom(restrictions, at("2026-01-02T10:00Z")))).toBe("2026-01-03T02:00:00.000Z");
});

test("a freeze that ends outside of the window waits for the next one; one that has not begun forbids nothing", () => {
  const restrictions = only({ windows: [nights], freezes: [freeze("2026-01-02T00:00Z", "2026-01-03T12:00Z")] });
  expect(iso(allowedFrom(restrictions, at("2026-01-01T23:00Z")))).toBe("2026-01-01T23:00:00.000Z");
  expect(iso(allowedFrom(restrictions, at("2026-01-02T01:00Z")))).toBe("2026-01-03T22:00:00.000Z");
});

test("one after the other are told up to when nothing forbids, each once, the first to end first", () => {
  const restrictions = only({
    windows: [nights],
    freezes: [freeze("2026-01-02T00:00Z", "2026-01-03T12:00Z")],
    pause: { reason: "migration", until: "2026-01-02T18:00:00Z" },
  });
  const told = (from: string) => obstaclesFrom(restrictions, at(from)).map(({ kind, untilMs }) => [kind, iso(untilMs)]);
  // The window that opens in the evening is frozen; the one after it counts.
  expect(told("2026-01-02T10:00Z")).toEqual([
    ["pause", "2026-01-02T18:00:00.000Z"],
    ["freeze", "2026-01-03T12:00:00.000Z"],
    ["window", "2026-01-03T22:00:00.000Z"],
  ]);
  expect(told("2026-01-03T23:00Z")).toEqual([]);
  const apart: Windows = { timeZone: "UTC", openings: [{ days: [...days], from: "09:00", to: "17:00" }] };
  expect(obstaclesFrom(only({ windows: [nights, apart] }), at("2026-01-02T10:00Z"))).toHaveLength(1);
});

test("windows that never meet are found to", () => {
  const days_: Windows = { timeZone: "UTC", openings: [{ days: [...days], from: "09:00", to: "17:00" }] };
  expect(allowedFrom(only({ windows: [nights, days_] }), at("2026-01-02T10:00Z"))).toBeUndefined();
  expect(neverMeet([nights, days_], at("2026-01-02T10:00Z"))).toBe(true);
  // Apart by what their clocks show, and together for four hours.
  const tokyo: Windows = { timeZone: "Asia/Tokyo", openings: [{ days: [...days], from: "09:00", to: "17:00" }] };
  expect(neverMeet([nights, tokyo], at("2026-01-02T10:00Z"))).toBe(false);
  expect(neverMeet([nights], at("2026-01-02T10:00Z"))).toBe(false);
});
