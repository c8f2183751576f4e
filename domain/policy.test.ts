import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { meets, strengths } from "./evidence.ts";
import { defaultPolicy, effectivePolicy, stricter, type Policy } from "./policy.ts";

const duration = fc.integer({ min: 0, max: 1_000_000 });
const someFields = fc.record({
  graceMs: duration,
  disabledForMs: duration,
  observeForMs: duration,
  lookEveryMs: duration,
  holdAfterMs: duration,
  answersInRow: fc.integer({ min: 1, max: 20 }),
  attempts: fc.integer({ min: 1, max: 20 }),
  retryFirstMs: duration,
  retryLongestMs: duration,
  evidence: fc.option(fc.constantFrom(...strengths), { nil: undefined }),
});
const anyPolicy: fc.Arbitrary<Policy> = someFields.map((given) => ({ ...defaultPolicy, ...given }));
const protective = ["graceMs", "disabledForMs", "observeForMs", "answersInRow"] as const;

describe("the policy of a running rotation", () => {
  test("invariant 4: no edit makes it weaker, and each that makes it stricter applies", () => {
    fc.assert(
      fc.property(anyPolicy, anyPolicy, (pinned, current) => {
        const ruling = stricter(pinned, current);
        for (const name of protective) {
          expect(ruling[name]).toBeGreaterThanOrEqual(pinned[name]);
          expect(ruling[name]).toBeGreaterThanOrEqual(current[name]);
          expect([pinned[name], current[name]]).toContain(ruling[name]);
        }
        for (const wanted of [pinned.evidence, current.evidence])
          if (wanted !== undefined) expect(ruling.evidence !== undefined && meets(ruling.evidence, wanted)).toBe(true);
        expect([pinned.evidence, current.evidence]).toContain(ruling.evidence);
      }),
    );
  });

  test("keeps its pace: how often it looks and tries is as it was pinned", () => {
    fc.assert(
      fc.property(anyPolicy, anyPolicy, (pinned, { evidence: _evidence, ...current }) => {
        const { lookEveryMs, holdAfterMs, attempts, retryFirstMs, retryLongestMs } = pinned;
        expect(stricter(pinned, current)).toMatchObject({
          lookEveryMs,
          holdAfterMs,
          attempts,
          retryFirstMs,
          retryLongestMs,
          evidence: pinned.evidence,
        });
      }),
    );
  });
});

test("the default gives people minutes and asks for several answers", () => {
  expect(defaultPolicy).toEqual({
    graceMs: 900_000,
    disabledForMs: 300_000,
    observeForMs: 30_000,
    lookEveryMs: 5_000,
    holdAfterMs: 900_000,
    answersInRow: 3,
    attempts: 8,
    retryFirstMs: 500,
    retryLongestMs: 60_000,
    schedule: { kind: "manual" },
    jitterMs: 0,
    aheadOfExpiryMs: 604_800_000,
    graceMinMs: 0,
    startWithinMs: 3_600_000,
    emergencyDeadlineMs: 15 * 60_000,
    emergencyOutcome: "contain",
    emergencyOrder: "continuity-first",
    deadWatchMs: 86_400_000,
    backOffMs: 900_000,
    noticeMs: 86_400_000,
    lastOneAfterMs: 300_000,
  });
});

describe("what several places say", () => {
  const places = [{ graceMs: 5 }, { graceMs: 7, attempts: 3 }, { attempts: 9, lookEveryMs: 11 }] as const;

  test("the narrowest place wins, field by field, and the default has the rest", () => {
    expect(effectivePolicy(...places)).toEqual({ ...defaultPolicy, graceMs: 5, attempts: 3, lookEveryMs: 11 });
    expect(effectivePolicy()).toEqual(defaultPolicy);
  });

  test("the grace stays within the bounds, whoever says it; the greatest wins over the least", () => {
    expect(effectivePolicy({ graceMs: 5 }, { graceMinMs: 60 }).graceMs).toBe(60);
    expect(effectivePolicy({ graceMs: 500 }, { graceMaxMs: 60 }).graceMs).toBe(60);
    expect(effectivePolicy({ graceMs: 50, graceMinMs: 40 }, { graceMaxMs: 60 }).graceMs).toBe(50);
    expect(effectivePolicy({ graceMinMs: 90 }, { graceMaxMs: 60 }).graceMs).toBe(60);
  });
});
