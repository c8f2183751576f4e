import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { days, type Opening, type Windows } from "../domain/routine.ts";
import { closesAt, isOpen, nextOpen } from "./windows.ts";

const berlin = (...openings: Opening[]): Windows => ({ timeZone: "Europe/Berlin", openings });
const at = (text: string): number => Date.parse(text);
const iso = (ms: number): string => new Date(ms).toISOString();

test("no opening means always", () => {
  expect(nextOpen(berlin(), 12_345)).toBe(12_345);
  expect(closesAt(berlin(), 12_345)).toBeUndefined();
});

test("a window over midnight belongs to the day on which it begins", () => {
  const friday = berlin({ days: ["fri"], from: "22:00", to: "04:00" });
  expect(isOpen(friday, at("2026-01-09T20:59Z"))).toBe(false);
  expect(isOpen(friday, at("2026-01-09T21:00Z"))).toBe(true);
  expect(isOpen(friday, at("2026-01-10T02:59Z"))).toBe(true);
  expect(isOpen(friday, at("2026-01-10T03:00Z"))).toBe(false);
  expect(isOpen(friday, at("2026-01-09T02:00Z"))).toBe(false);
  expect(iso(nextOpen(friday, at("2026-01-10T03:00Z")))).toBe("2026-01-16T21:00:00.000Z");
  expect(iso(closesAt(friday, at("2026-01-09T21:00Z")) ?? 0)).toBe("2026-01-10T03:00:00.000Z");
});

test("a window may end with the day, or last for a whole one", () => {
  const evening = berlin({ days: ["mon"], from: "18:00", to: "24:00" });
  expect(iso(closesAt(evening, at("2026-01-05T18:00Z")) ?? 0)).toBe("2026-01-05T23:00:00.000Z");
  const whole = berlin({ days: ["mon"], from: "00:00", to: "00:00" });
  expect(isOpen(whole, at("2026-01-04T23:00Z"))).toBe(true);
  expect(isOpen(whole, at("2026-01-05T23:00Z"))).toBe(false);
});

describe("when the clocks jump", () => {
  const night = berlin({ days: [...days], from: "02:10", to: "02:50" });

  it("a window that does not exist is not open on that day", () => {
    expect(iso(nextOpen(night, at("2026-03-28T12:00Z")))).toBe("2026-03-30T00:10:00.000Z");
  });

  it("a window that comes twice is open twice", () => {
    const first = nextOpen(night, at("2026-10-24T12:00Z"));
    expect(iso(first)).toBe("2026-10-25T00:10:00.000Z");
    const closed = closesAt(night, first) ?? 0;
    expect(iso(closed)).toBe("2026-10-25T00:50:00.000Z");
    expect(iso(nextOpen(night, closed))).toBe("2026-10-25T01:10:00.000Z");
  });

  it("a window that begins in the hour that is left out is open for the rest of it", () => {
    const long = berlin({ days: [...days], from: "02:30", to: "05:00" });
    expect(iso(nextOpen(long, at("2026-03-28T12:00Z")))).toBe("2026-03-29T01:00:00.000Z");
  });
});

const zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"];
const time = fc
  .tuple(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }))
  .map(([hour, minute]) => `${String(hour).padStart(2, "0")}:${String(minute).padStart(2, "0")}`);
const opening: fc.Arbitrary<Opening> = fc.record({
  days: fc.subarray([...days], { minLength: 1 }),
  from: time,
  to: time,
});
const some: fc.Arbitrary<Windows> = fc.record({
  timeZone: fc.constantFrom(...zones),
  openings: fc.array(opening, { minLength: 1, maxLength: 3 }),
});

test("the next opening is the first minute at which one is open, across zones, years and jumps", () => {
  const instant = fc.integer({ min: at("2020-01-01T00:00Z"), max: at("2040-01-01T00:00Z") });
  // Half of the cases lie close to a jump of the clocks somewhere.
  const jumps = [
    "2026-03-29T01:00Z",
    "2026-10-25T01:00Z",
    "2026-03-08T07:00Z",
    "2026-11-01T06:00Z",
    "2026-04-04T15:00Z",
  ];
  const close = fc
    .tuple(fc.constantFrom(...jumps), fc.integer({ min: -2 * 86_400_000, max: 3_600_000 }))
    .map(([jump, by]) => at(jump) + by);
  fc.assert(
    fc.property(some, fc.oneof(instant, close), (windows, from) => {
      let expected = from;
      if (!isOpen(windows, from)) {
        expected = Math.ceil(from / 60_000) * 60_000;
        while (!isOpen(windows, expected)) expected += 60_000;
      }
      expect(iso(nextOpen(windows, from))).toBe(iso(expected));
    }),
    { numRuns: 60 },
  );
});
