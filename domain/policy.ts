import type { DeadlineOutcome, EmergencyOrder } from "./emergency.ts";
import { meets, type Strength } from "./evidence.ts";
import type { Pause, Schedule, Windows } from "./routine.ts";

/**
 * What rules the rotations of a credential, and when there is one. All durations and counts are data, so that a test sets
 * them and never sleeps.
 */
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
  /** How often a step that fails for a passing reason is tried before a person is asked; of an emergency until its deadline. */
  readonly attempts: number;
  /** Between two such attempts at first; doubles up to `retryLongestMs`. */
  readonly retryFirstMs: number;
  readonly retryLongestMs: number;
  /** What consumers have to show that ask for nothing themselves; absent: the best that needs no change to them. */
  readonly evidence?: Strength | undefined;
  /** When it rotates by itself. */
  readonly schedule: Schedule;
  /** Up to so much later than the schedule says, by where the credential's id lies. */
  readonly jitterMs: number;
  /** No version becomes older; absent: any age. */
  readonly maxAgeMs?: number | undefined;
  /** So long before the credential expires it is due, whatever its schedule says. */
  readonly aheadOfExpiryMs: number;
  /** When consumers may feel a routine rotation; absent: always. */
  readonly windows?: Windows | undefined;
  readonly pause?: Pause | undefined;
  /** Bounds of `graceMs`, whoever says that. */
  readonly graceMinMs: number;
  readonly graceMaxMs?: number | undefined;
  /** A rotation that is due and allowed and has not begun after so long raises the alarm. */
  readonly startWithinMs: number;
  /** How long the consumers may take to move when what they run on has leaked. */
  readonly emergencyDeadlineMs: number;
  /** What is done then: it is ended whoever breaks, or a person is asked. */
  readonly emergencyOutcome: DeadlineOutcome;
  /** Whether what has leaked ends before or after its consumers have another. */
  readonly emergencyOrder: EmergencyOrder;
  /** How long a version that had leaked is looked at after its death. */
  readonly deadWatchMs: number;
  /** Before a rotation that failed is begun again by itself; doubles with each that fails for the same reason. */
  readonly backOffMs: number;
  /** So long before a rotation may begin those who run on the credential are told; 0: nobody is. */
  readonly noticeMs: number;
  /** When all consumers but one have adopted, the team of that one is told after so long. */
  readonly lastOneAfterMs: number;
}

/** What one place says of a policy. The rest is said elsewhere, or by default. */
export type GivenPolicy = Partial<Policy>;

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
  schedule: { kind: "manual" },
  jitterMs: 0,
  aheadOfExpiryMs: 7 * 24 * 3_600_000,
  graceMinMs: 0,
  startWithinMs: 3_600_000,
  emergencyDeadlineMs: 15 * 60_000,
  emergencyOutcome: "contain",
  emergencyOrder: "continuity-first",
  deadWatchMs: 24 * 3_600_000,
  backOffMs: 15 * 60_000,
  noticeMs: 24 * 3_600_000,
  lastOneAfterMs: 5 * 60_000,
};

/** What several places say, the last one first, with the defaults of the rest and the grace within its bounds. */
export function effectivePolicy(...given: readonly GivenPolicy[]): Policy {
  const policy = given.toReversed().reduce<Policy>((above, said) => ({ ...above, ...said }), defaultPolicy);
  return { ...policy, graceMs: boundedGrace(policy) };
}

/** The shorter bound wins where the two contradict each other, which no single manifest may say. */
const boundedGrace = ({ graceMs, graceMinMs, graceMaxMs = Infinity }: Policy): number =>
  Math.min(Math.max(graceMs, graceMinMs), graceMaxMs);

const strongest = (a: Strength | undefined, b: Strength | undefined): Strength | undefined => {
  if (a === undefined || b === undefined) return a ?? b;
  return meets(a, b) ? a : b;
};

/** What rules a running rotation: a policy made stricter applies at once, one made weaker with the next rotation. */
export function stricter(pinned: Policy, current: Policy): Policy {
  return {
    // When there is a rotation says the policy of today.
    ...current,
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
