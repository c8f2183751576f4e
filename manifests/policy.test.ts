import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultPolicy } from "../domain/policy.ts";
import { changesBetween } from "./changes.ts";
import { parseDuration, showDuration } from "./duration.ts";
import { asPolicy, policySchema, showPolicy } from "./policy.ts";

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
  it("keeps the default of whatever is left out", () => {
    expect(asPolicy(policySchema.parse({}))).toEqual(defaultPolicy);
    expect(asPolicy(policySchema.parse({ grace: "1h", attempts: 2, evidence: "attested" }))).toEqual({
      ...defaultPolicy,
      graceMs: 3_600_000,
      attempts: 2,
      evidence: "attested",
    });
  });

  it("is shown in the manifest's words, which read back the same", () => {
    const policy = asPolicy(policySchema.parse({ grace: "90s", evidence: "observed" }));
    expect(asPolicy(policySchema.parse(showPolicy(policy)))).toEqual(policy);
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
