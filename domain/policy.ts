import { meets, type Strength } from "./evidence.ts";

/** Durations and counts that rule one rotation. All of them are data, so that a test sets them and never sleeps. */
export interface Policy {
  /** How long both versions stay valid after every consumer has moved. */
  readonly graceMs: number;
  /** How long the old version stays disabled, restorable, before it is ended. */
  readonly disabledForMs: number;
  /** Sessions are sampled over this long before they count as evidence. */
  readonly observeForMs: number;
  /** Between two looks while a step waits for evidence, sessions or a refusal. */
  readonly lookEveryMs: number;
  /** A step that still waits for evidence after this long asks a person. */
  readonly holdAfterMs: number;
  /** "Works" and "dead" mean so many answers in a row. */
  readonly answersInRow: number;
  /** How often a step that fails for a passing reason is tried before a person is asked. */
  readonly attempts: number;
  /** Between two such attempts at first; doubles up to `retryLongestMs`. */
  readonly retryFirstMs: number;
  readonly retryLongestMs: number;
  /** What consumers have to show that ask for nothing themselves; absent: the best that needs no change to them. */
  readonly evidence?: Strength | undefined;
}

export const defaultPolicy: Policy = {
  graceMs: 15 * 60_000,
  disabledForMs: 5 * 60_000,
  observeForMs: 30_000,
  lookEveryMs: 5_000,
  holdAfterMs: 15 * 60_000,
  answersInRow: 3,
  attempts: 8,
  retryFirstMs: 500,
  retryLongestMs: 60_000,
};

const strongest = (a: Strength | undefined, b: Strength | undefined): Strength | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  return meets(a, b) ? a : b;
};

/** What rules a running rotation: a policy made stricter applies at once, one made weaker with the next rotation. */
export function stricter(pinned: Policy, current: Policy): Policy {
  return {
    lookEveryMs: pinned.lookEveryMs,
    holdAfterMs: pinned.holdAfterMs,
    attempts: pinned.attempts,
    retryFirstMs: pinned.retryFirstMs,
    retryLongestMs: pinned.retryLongestMs,
    graceMs: Math.max(pinned.graceMs, current.graceMs),
    disabledForMs: Math.max(pinned.disabledForMs, current.disabledForMs),
    observeForMs: Math.max(pinned.observeForMs, current.observeForMs),
    answersInRow: Math.max(pinned.answersInRow, current.answersInRow),
    evidence: strongest(pinned.evidence, current.evidence),
  };
}
