import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultPolicy } from "../domain/policy.ts";
import { changesBetween } from "./changes.ts";
import { parseDuration, showDuration } from "./duration.ts";
import { days, type Day } from "../domain/routine.ts";
import { givenPolicy, policySchema, policyTrouble, showPolicy } from "./policy.ts";

describe("durations", () => {
  it("read every unit", () => {
    expect(["0s", "500ms", "2s", "15m", "3h", "1d"].map(parseDuration)).toEqual([
      0, 500, 2_000, 900_000, 10_800_000, 86_400_000,
    ]);
  });

  it.each(["", "5", "m", "1.5h", "-1s", "1 s", "1w", "367d", "99999999999s"])("refuse %o", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });

  it("are shown so that they read back the same", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 366 * 86_400_000 }), (ms) => {
        expect(parseDuration(showDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe("a policy", () => {
  it("says what its manifest says and leaves the rest to others", () => {
    expect(givenPolicy(policySchema.parse({}))).toEqual({});
    expect(givenPolicy(policySchema.parse({ grace: "1h", attempts: 2, evidence: "attested" }))).toEqual({
      graceMs: 3_600_000,
      attempts: 2,
      evidence: "attested",
    });
  });

  it("is shown in the manifest's words, which read back the same", () => {
    const policy = givenPolicy(
      policySchema.parse({
        ...{ grace: "90s", evidence: "observed", jitter: "1h", maxAge: "90d", answersInRow: 2 },
        schedule: { cron: "30 3 * * mon", timeZone: "Europe/Berlin" },
        windows: { timeZone: "Europe/Berlin", open: [{ days: ["sat", "sun"], from: "22:00", to: "04:00" }] },
        pause: { reason: "migration", until: "2027-01-07T08:00:00Z" },
      }),
    );
    expect(givenPolicy(policySchema.parse(showPolicy(policy)))).toEqual(policy);
    for (const schedule of ["manual", { every: "30d" }]) {
      const said = { schedule, windows: "always" };
      expect(showPolicy(givenPolicy(policySchema.parse(said)))).toEqual(said);
    }
    expect(givenPolicy(policySchema.parse(showPolicy(defaultPolicy)))).toEqual(defaultPolicy);
  });

  it.each([
    [{ schedule: "weekly" }, "must be manual, { every: 30d } or { cron:"],
    [{ schedule: { every: "soon" } }, "must be a number with its unit"],
    [{ schedule: { every: "0s" } }, "must be longer than nothing"],
    [{ schedule: { cron: "nonsense" } }, "must have five fields"],
    [{ schedule: { cron: "0 0 30 2 *" } }, "names a time that never comes"],
    [{ schedule: { cron: "0 0 * * *", timeZone: "Mars/Olympus" } }, "must be a time zone such as Europe/Berlin"],
    [{ windows: { open: [] } }, "write `windows: always` for no limit"],
    [{ windows: { open: [{ days: [], from: "01:00", to: "02:00" }] } }, "must name a day"],
    [{ windows: { open: [{ from: "25:00", to: "02:00" }] } }, "must be a time of the day such as 22:00"],
    [{ pause: { reason: "", until: "2027-01-07T08:00:00Z" } }, "must say why"],
    [{ pause: { reason: "later", until: "tomorrow" } }, "must be a time with its zone"],
    [{ graceMin: "2h", graceMax: "1h" }, "must not be longer than graceMax"],
    [{ grace: "5m", graceMin: "1h" }, "must not be shorter than graceMin"],
  ])("refuses %o with what to write", (said, text) => {
    const result = policySchema.safeParse(said);
    expect(result.error?.issues.map(({ message }) => message).join("\n")).toContain(text);
  });

  it("that asks for more rotations than fit is found, also when two places say it", () => {
    const often = { schedule: { kind: "every", everyMs: 600_000 } } as const;
    expect(policyTrouble([often])).toBe(
      "schedule.every 10m can never be kept: a rotation takes at least 1230s (grace 15m, disabledFor 5m, observeFor 30s)",
    );
    expect(policyTrouble([{ graceMs: 60_000, disabledForMs: 0 }, often])).toBeUndefined();
    expect(policyTrouble([{ maxAgeMs: 3_600_000 }, { graceMs: 7_200_000 }])).toContain("maxAge 1h can never be kept");
  });

  it("is refused when its window closes before the old version has been watched for as long as it has to be", () => {
    const windows = (from: string, to: string, on: readonly Day[] = ["sat", "sun"]) => ({
      windows: { timeZone: "UTC", openings: [{ days: on, from, to }] },
    });
    expect(policyTrouble([windows("03:00", "03:01")])).toBe(
      "windows are open for 1m at a stretch, and right before the old version is disabled its use is watched for 90s within one (observeFor 30s)",
    );
    expect(policyTrouble([windows("03:00", "03:02")])).toBeUndefined();
    expect(policyTrouble([windows("03:00", "03:01"), { graceMs: 0 }])).toBeUndefined();
    expect(policyTrouble([{ observeForMs: 3_600_000 }, windows("23:30", "00:30")])).toContain(
      "open for 1h at a stretch",
    );
    // The end of one is the beginning of the next, over midnight too.
    expect(policyTrouble([{ observeForMs: 86_400_000 }, windows("00:00", "24:00")])).toBeUndefined();
    expect(policyTrouble([{ observeForMs: 8 * 86_400_000 }, windows("00:00", "24:00", [...days])])).toBeUndefined();
  });

  it("refuses to never look again, and counts below one", () => {
    for (const wrong of [{ lookEvery: "0s" }, { retryFirst: "0s" }, { answersInRow: 0 }, { attempts: 0 }, { grace: 5 }])
      expect(policySchema.safeParse(wrong).success).toBe(false);
  });
});

describe("changes", () => {
  it("name each field with both values, and take absent, null and undefined for the same", () => {
    const before = { spec: { a: 1, list: ["x", "y"], gone: "z", same: null } };
    const after = { spec: { a: 2, list: ["x"], new: true, same: undefined } };
    expect(changesBetween(before, after)).toEqual([
      { field: "spec.a", from: 1, to: 2 },
      { field: "spec.gone", from: "z", to: null },
      { field: "spec.list.1", from: "y", to: null },
      { field: "spec.new", from: null, to: true },
    ]);
  });
});
