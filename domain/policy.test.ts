import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { meets, strengths } from "./evidence.ts";
import { defaultPolicy, stricter, type Policy } from "./policy.ts";

const duration = fc.integer({ min: 0, max: 1_000_000 });
const anyPolicy: fc.Arbitrary<Policy> = fc.record({
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
  });
});
