import fc from "fast-check";
import { expect, test } from "vitest";
import {
  afterFailure,
  backOffMs,
  nextRoutineMs,
  routineFailures,
  longestUrgentMs,
  stepRetry,
  undoRetry,
  urgentLimits,
  type Failure,
} from "./retry.ts";

const failure: Failure = {
  failureClass: "transient",
  code: "issuer_unreachable",
  attempt: 1,
  direction: "forward",
  hasEffect: false,
  isPastReturn: false,
};

const anyFailure: fc.Arbitrary<Failure> = fc.record({
  failureClass: fc.constantFrom("transient", "operator-needed", "permanent"),
  code: fc.constantFrom("issuer_unreachable", "right_missing", "value_unfit"),
  attempt: fc.integer({ min: 1, max: 100 }),
  direction: fc.constantFrom("forward", "undo"),
  hasEffect: fc.boolean(),
  isPastReturn: fc.boolean(),
});

test("the back-off doubles from the first wait up to the longest", () => {
  const limits = { attempts: 9, firstMs: 100, longestMs: 1000 };
  expect([1, 2, 3, 4, 5, 60].map((attempt) => backOffMs(attempt, limits))).toEqual([100, 200, 400, 800, 1000, 1000]);
});

test("a transient failure is retried up to the limit and then holds", () => {
  const limits = { attempts: 3, firstMs: 100, longestMs: 1000 };
  const after = (attempt: number) => afterFailure({ ...failure, attempt }, limits);
  expect(after(1)).toEqual({ action: "retry", afterMs: 100 });
  expect(after(2)).toEqual({ action: "retry", afterMs: 200 });
  expect(after(3)).toEqual({ action: "hold" });
  expect(after(4)).toEqual({ action: "hold" });
});

test("the limits of a step and of an undo hold where none are given", () => {
  expect(stepRetry).toEqual({ attempts: 8, firstMs: 500, longestMs: 60_000 });
  expect(undoRetry).toEqual({ attempts: 12, firstMs: 500, longestMs: 60_000 });
  expect(afterFailure({ ...failure, attempt: 8 })).toEqual({ action: "hold" });
  expect(afterFailure({ ...failure, attempt: 8, direction: "undo" })).toEqual({ action: "retry", afterMs: 60_000 });
  expect(afterFailure({ ...failure, attempt: 12, direction: "undo" })).toEqual({ action: "hold" });
});

test("an emergency is tried often and on and on until its deadline, and after it as ever", () => {
  const urgent = urgentLimits(stepRetry, 1);
  for (const attempt of [5, 8, 9, 1_000, 100_000]) {
    const afterMs = Math.min(500 * 2 ** (attempt - 1), longestUrgentMs);
    expect(afterFailure({ ...failure, attempt }, urgent)).toEqual({ action: "retry", afterMs });
  }
  expect(longestUrgentMs).toBeLessThanOrEqual(10_000);
  expect(urgentLimits({ ...stepRetry, longestMs: 700 }, 1).longestMs).toBe(700);
  for (const leftMs of [undefined, 0, -1]) expect(urgentLimits(stepRetry, leftMs)).toEqual(stepRetry);
  expect(afterFailure({ ...failure, failureClass: "operator-needed" }, urgent)).toEqual({ action: "hold" });
});

test("what a person has to change holds at once", () => {
  expect(afterFailure({ ...failure, failureClass: "operator-needed" })).toEqual({ action: "hold" });
});

test("a permanent failure before any effect closes the rotation", () => {
  const after = afterFailure({ ...failure, failureClass: "permanent" });
  expect(after).toEqual({ action: "close", outcome: "failed-before-effect" });
});

test("a permanent failure after an effect is undone", () => {
  expect(afterFailure({ ...failure, failureClass: "permanent", hasEffect: true })).toEqual({ action: "undo" });
});

test("a permanent failure past the point of no return, or during undo, holds", () => {
  const permanent: Failure = { ...failure, failureClass: "permanent", hasEffect: true };
  expect(afterFailure({ ...permanent, isPastReturn: true })).toEqual({ action: "hold" });
  expect(afterFailure({ ...permanent, direction: "undo" })).toEqual({ action: "hold" });
});

test("invariant 7: an attempt whose claim is outdated stands down and decides nothing", () => {
  fc.assert(
    fc.property(anyFailure, (any) => {
      expect(afterFailure({ ...any, code: "claim_outdated" })).toEqual({ action: "stand-down" });
    }),
  );
});

test("invariant 9: every failure is retried a bounded number of times, then something decides", () => {
  fc.assert(
    fc.property(anyFailure, (any) => {
      const after = afterFailure(any);
      if (after.action === "retry") expect(any.attempt).toBeLessThan(undoRetry.attempts);
      if (after.action === "close") expect(any.hasEffect).toBe(false);
      if (after.action === "undo") expect([any.direction, any.isPastReturn]).toEqual(["forward", false]);
    }),
  );
});

test("routine rotations back off, and after three failures for one reason the sweep leaves them", () => {
  expect(routineFailures).toBe(3);
  expect([1, 2, 3, 4].map(nextRoutineMs)).toEqual([900_000, 1_800_000, undefined, undefined]);
});
