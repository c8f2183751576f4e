import fc from "fast-check";
import { RRuleTemporal } from "rrule-temporal";
import { Temporal } from "temporal-polyfill";
import { expect, test } from "vitest";
import { days, spreadOf, type Day } from "../domain/routine.ts";
import { cronTrouble, nextCron } from "./cron.ts";
import { dueOf, type DuePolicy } from "./due.ts";
import { wallTime } from "./wall-clock.ts";

const at = (text: string): number => Date.parse(text);
const iso = (ms: number | undefined): string => (ms === undefined ? "never" : new Date(ms).toISOString());
const hourMs = 3_600_000;
const plain: DuePolicy = { schedule: { kind: "manual" }, jitterMs: 0, aheadOfExpiryMs: 0 };
const bornMs = at("2026-01-01T00:00Z");
const ask = (policy: Partial<DuePolicy>, more: { readonly expiresMs?: number } = {}) =>
  dueOf({ credentialId: "crd_a", policy: { ...plain, ...policy }, bornMs, ...more });

test("nothing is due that nobody has asked for", () => {
  expect(ask({})).toBeUndefined();
});

test("the earliest of schedule, age and expiry decides, and says that it did", () => {
  const schedule = { kind: "every", everyMs: 10 * hourMs } as const;
  expect(ask({ schedule })).toEqual({ atMs: bornMs + 10 * hourMs, because: "schedule" });
  expect(ask({ schedule, maxAgeMs: 4 * hourMs })).toEqual({ atMs: bornMs + 4 * hourMs, because: "age" });
  const expiring = { aheadOfExpiryMs: 2 * hourMs, schedule, maxAgeMs: 4 * hourMs };
  expect(ask(expiring, { expiresMs: bornMs + 5 * hourMs })).toEqual({ atMs: bornMs + 3 * hourMs, because: "expiry" });
});

test("a version that was made when the expiry was near is what the expiry asked for", () => {
  expect(ask({ aheadOfExpiryMs: 2 * hourMs }, { expiresMs: bornMs + hourMs })).toBeUndefined();
});

test("the jitter is one credential's own, lies within what the policy says and never passes the greatest age", () => {
  const policy = { ...plain, schedule: { kind: "every", everyMs: hourMs } as const, jitterMs: hourMs };
  const due = (credentialId: string, more: Partial<DuePolicy> = {}) =>
    dueOf({ credentialId, policy: { ...policy, ...more }, bornMs })?.atMs ?? 0;
  const all = Array.from({ length: 200 }, (_, number) => due(`crd_${number}`) - bornMs - hourMs);
  expect(Math.min(...all)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...all)).toBeLessThan(hourMs);
  expect(due("crd_7")).toBe(due("crd_7"));
  for (const quarter of [0, 1, 2, 3]) {
    const inIt = all.filter((one) => Math.floor((one / hourMs) * 4) === quarter).length;
    expect(inIt).toBeGreaterThan(25);
  }
  expect(due("crd_7", { maxAgeMs: hourMs })).toBe(bornMs + hourMs);
});

test("ids that follow each other lie apart", () => {
  const spread = Array.from({ length: 32 }, (_, number) =>
    Math.floor(8 * spreadOf(`crd_01m872n0pcf6ebaz1m9fysm4${number.toString(32)}0`)),
  );
  expect(new Set(spread).size).toBeGreaterThan(5);
});

test.each([
  ["an hour that a jump leaves out comes after it", "30 2 * * *", "2026-03-29T00:00Z", "2026-03-29T01:00:00.000Z"],
  ["an hour that comes twice counts once", "30 2 * * *", "2026-10-25T00:30Z", "2026-10-26T01:30:00.000Z"],
  ["the leap day", "0 0 29 2 *", "2026-01-01T00:00Z", "2028-02-28T23:00:00.000Z"],
  ["the leap day of a century without one", "0 0 29 2 *", "2097-01-01T00:00Z", "2104-02-28T23:00:00.000Z"],
  ["the last day of a month", "0 4 L * *", "2026-02-01T00:00Z", "2026-02-28T03:00:00.000Z"],
])("cron, %s", (_, cron, after, expected) => {
  expect(iso(nextCron(cron, "Europe/Berlin", at(after)))).toBe(expected);
});

test.each(["nonsense", "", "* * * *", "60 * * * *", "0 25 * * *", "0 0 * * 9", "* * * * * *", "0 0 32 * *"])(
  "cron nonsense is told what to write: %s",
  (cron) => {
    expect(cronTrouble(cron, bornMs)).toContain("must have five fields");
  },
);

test("a time that never comes is told apart from nonsense", () => {
  expect(cronTrouble("0 0 30 2 *", bornMs)).toContain("never comes");
  expect(cronTrouble("0 0 29 2 *", bornMs)).toBeUndefined();
});

const rruleDays: Readonly<Record<Day, string>> = {
  ...{ mon: "MO", tue: "TU", wed: "WE", thu: "TH", fri: "FR", sat: "SA", sun: "SU" },
};

test("a daily or weekly time is what RFC 5545 says, across zones and years, but where a jump leaves it out", () => {
  const zones = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "America/Santiago"];
  const question = fc.record({
    timeZone: fc.constantFrom(...zones),
    hour: fc.integer({ min: 0, max: 23 }),
    minute: fc.integer({ min: 0, max: 59 }),
    on: fc.subarray([...days], { minLength: 1 }),
    after: fc.integer({ min: at("2020-01-01T00:00Z"), max: at("2045-01-01T00:00Z") }),
  });
  let compared = 0;
  fc.assert(
    fc.property(question, ({ timeZone, hour, minute, on, after }) => {
      const ours = nextCron(`${minute} ${hour} * * ${on.join(",")}`, timeZone, after);
      const shown = wallTime(ours ?? 0, timeZone);
      if (shown.minutes !== hour * 60 + minute) return; // they differ where a time is left out: theirs waits a day
      compared += 1;
      const dtstart = Temporal.Instant.fromEpochMilliseconds(after - 8 * 24 * hourMs).toZonedDateTimeISO(timeZone);
      const theirs = new RRuleTemporal({
        ...{ freq: "DAILY", byHour: [hour], byMinute: [minute], bySecond: [0] },
        byDay: on.map((day) => rruleDays[day]),
        tzid: timeZone,
        dtstart: dtstart.round({ smallestUnit: "second", roundingMode: "floor" }),
      }).next(new Date(after));
      // Theirs knows the second coming of an hour as well; ours comes once, with the first.
      expect(iso(theirs?.epochMilliseconds)).toBe(iso(ours));
    }),
    { numRuns: 300 },
  );
  expect(compared).toBeGreaterThan(250);
});
