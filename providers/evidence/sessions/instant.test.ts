import fc from "fast-check";
import { expect, test } from "vitest";
import { microsecondsOf } from "./instant.ts";

test("a time is read to the microsecond, in any zone and with any precision", () => {
  const base = Date.UTC(2026, 0, 2, 3, 4, 5) * 1_000;
  expect(microsecondsOf("2026-01-02T03:04:05Z")).toBe(base);
  expect(microsecondsOf("2026-01-02T03:04:05.1Z")).toBe(base + 100_000);
  expect(microsecondsOf("2026-01-02T03:04:05.123456Z")).toBe(base + 123_456);
  expect(microsecondsOf("2026-01-02T03:04:05.123456789Z")).toBe(base + 123_456);
  expect(microsecondsOf("2026-01-02T05:34:05.000001+02:30")).toBe(base + 1);
});

test.each(["", "now", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-13-02T03:04:05Z", "infinity"])(
  "%j is no time",
  (text) => {
    expect(microsecondsOf(text)).toBeUndefined();
  },
);

test("what `Date` writes comes back", () => {
  const span = { min: new Date(0), max: new Date("9999-12-31T00:00:00Z"), noInvalidDate: true };
  fc.assert(
    fc.property(fc.date(span), (date) => {
      expect(microsecondsOf(date.toISOString())).toBe(date.getTime() * 1_000);
    }),
  );
});
