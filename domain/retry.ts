import type { Code } from "./errors.ts";
import type { Direction } from "./order.ts";

/** The three classes of failure, as they travel between a step and its caller. */
export type FailureClass = "transient" | "operator-needed" | "permanent";

export interface Failure {
  readonly failureClass: FailureClass;
  readonly code: Code;
  /** How often the step has now been tried, from 1. */
  readonly attempt: number;
  readonly direction: Direction;
  /** Whether any step of this rotation may have changed something outside. An answer that was lost counts as yes. */
  readonly hasEffect: boolean;
  readonly isPastReturn: boolean;
}

export type AfterFailure =
  | { readonly action: "retry"; readonly afterMs: number }
  | { readonly action: "hold" }
  | { readonly action: "undo" }
  | { readonly action: "close"; readonly outcome: "failed-before-effect" }
  /** A newer attempt has the turn: end without touching anything. */
  | { readonly action: "stand-down" };

export interface RetryLimits {
  readonly attempts: number;
  readonly firstMs: number;
  readonly longestMs: number;
}

export const stepRetry: RetryLimits = { attempts: 8, firstMs: 500, longestMs: 60_000 };
export const undoRetry: RetryLimits = { attempts: 12, firstMs: 500, longestMs: 60_000 };

/** Between two tries while an emergency is open: whoever waits for it sees the issuer come back within this. */
export const longestUrgentMs = 10_000;

/**
 * While an emergency has `leftMs` until its deadline nobody is asked about what may pass by itself: it is tried on and on,
 * never long apart. After the deadline it is as ever.
 */
export function urgentLimits(limits: RetryLimits, leftMs: number | undefined): RetryLimits {
  if (leftMs === undefined || leftMs <= 0) return limits;
  return { ...limits, attempts: Infinity, longestMs: Math.min(limits.longestMs, longestUrgentMs) };
}

/** Doubles from `firstMs` up to `longestMs`; `attempt` counts from 1. */
export function backOffMs(attempt: number, limits: RetryLimits): number {
  return Math.min(limits.longestMs, limits.firstMs * 2 ** (attempt - 1));
}

/** What follows a failed attempt of a step. Bounded: it never retries past the limit. */
export function afterFailure(
  failure: Failure,
  limits = failure.direction === "undo" ? undoRetry : stepRetry,
): AfterFailure {
  if (failure.code === "claim_outdated") return { action: "stand-down" };
  if (failure.failureClass === "operator-needed") return { action: "hold" };
  if (failure.failureClass === "transient") {
    if (failure.attempt >= limits.attempts) return { action: "hold" };
    return { action: "retry", afterMs: backOffMs(failure.attempt, limits) };
  }
  if (failure.direction === "undo" || failure.isPastReturn) return { action: "hold" };
  return failure.hasEffect ? { action: "undo" } : { action: "close", outcome: "failed-before-effect" };
}

/** After so many failed rotations in a row for one reason the sweep leaves the credential to a person. */
export const routineFailures = 3;

const routineLimits: RetryLimits = {
  attempts: routineFailures,
  firstMs: 15 * 60_000,
  longestMs: 24 * 3_600_000,
};

/** When the sweep may begin the next routine rotation; undefined when it leaves the credential. `failures` from 1. */
export function nextRoutineMs(failures: number): number | undefined {
  return failures >= routineFailures ? undefined : backOffMs(failures, routineLimits);
}
