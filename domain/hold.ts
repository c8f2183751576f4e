import { codes, type Code } from "./errors.ts";
import {
  isPastReturn,
  stepFor,
  type Direction,
  type Order,
  type Outcome,
  type Phase,
  type ReturnConditions,
} from "./order.ts";

/** The answers to a hold. */
export const decisions = ["retry", "roll-back", "accept"] as const;

export type Decision = (typeof decisions)[number];

export interface DecisionMeaning {
  readonly allowed: boolean;
  /** What it does, or why it is refused: one sentence for an operator. */
  readonly text: string;
  /** Set when the decision fixes how the rotation will close. */
  readonly outcome?: Outcome;
}

/** What each decision means for a hold of this reason, in this phase and direction. */
export function decisionsFor(
  order: Order,
  phase: Phase,
  direction: Direction,
  code: Code,
  conditions?: ReturnConditions,
): Record<Decision, DecisionMeaning> {
  if (phase === "closed") {
    const over = no("The rotation is closed; start a new one.");
    return { retry: over, "roll-back": over, accept: over };
  }
  return {
    retry: retryMeaning(order, phase, direction, code),
    "roll-back": rollBackMeaning(order, phase, direction, conditions),
    accept: acceptMeaning(order, phase, direction, code),
  };
}

function retryMeaning(order: Order, phase: Phase, direction: Direction, code: Code): DecisionMeaning {
  const what = direction === "undo" ? `the undo from ${phase}` : `the step ${stepFor(order, phase) ?? "close"}`;
  return yes(`Tries ${what} again; do it once this is no longer so: ${codes[code]}.`);
}

function rollBackMeaning(
  order: Order,
  phase: Phase,
  direction: Direction,
  conditions: ReturnConditions | undefined,
): DecisionMeaning {
  if (direction === "undo") return no("The rotation is already being undone.");
  if (isPastReturn(order, phase, conditions)) {
    return no(
      "The rotation is past its point of no return: the old version is ended or about to be, so it only goes forward.",
    );
  }
  if (phase === "reserved") return yes("Closes the rotation; nothing has been changed outside.");
  return yes(
    "Undoes the rotation: every touched consumer gets the previous version back, then the candidate is ended.",
  );
}

/** Gaps of the guard and of the waits before it: a person may go on and answer for who breaks. */
const guardGaps: ReadonlySet<Code> = new Set<Code>([
  "evidence_missing",
  "stranger_seen",
  "still_in_use",
  "candidate_in_use",
  "no_consumers",
  "consumer_unhealthy",
]);

/** Phases in which the version has been told to end and only its death is asked for. */
const endingPhases: ReadonlySet<Phase> = new Set<Phase>(["revoking", "revoked", "ended"]);

/** Reasons for which the question cannot be put to the issuer, perhaps never again: it, or the value, is out of reach. */
const unasked: ReadonlySet<Code> = new Set<Code>([
  "issuer_unreachable",
  "issuer_auth_failed",
  "issuer_identity_changed",
  "issuer_in_recovery",
  "transport_unverified",
  "custody_missing",
  "custody_unreadable",
  "custody_key_missing",
]);

const unproven: DecisionMeaning = {
  allowed: true,
  text: "Goes on although the version may still be accepted somewhere; the rotation will close as closed-unproven, never as proven.",
  outcome: "closed-unproven",
};

function acceptMeaning(order: Order, phase: Phase, direction: Direction, code: Code): DecisionMeaning {
  if (phase === "reserved")
    return no("Nothing has been done yet, so there is nothing to accept: correct it and retry.");
  if (code === "death_unproven") {
    // During undo it is the candidate whose death is asked for, once it has been abandoned.
    return asksForDeath(order, phase, direction)
      ? unproven
      : no("Nothing has been ended yet, so there is no death to accept.");
  }
  if (direction === "forward" && code === "still_in_use" && asksForDeath(order, phase, direction)) return unproven;
  if (direction === "forward" && unasked.has(code) && stepFor(order, phase) === "prove") return unproven;
  if (guardGaps.has(code)) {
    return direction === "undo"
      ? yes("Goes on with the undo although ending the candidate may break the consumers named in the gaps.")
      : yes("Goes on although it may break the consumers named in the gaps; the decision is recorded with your name.");
  }
  if (code === "restore_failed" && direction === "undo") {
    return yes(
      "Leaves the named consumer on the candidate for now; the guard still asks before the candidate is ended.",
    );
  }
  if (code === "reload_failed") {
    return yes("Goes on without telling the consumer to reload; restart it yourself, its evidence is still asked for.");
  }
  return no("This cannot be accepted: correct the cause and retry.");
}

function asksForDeath(order: Order, phase: Phase, direction: Direction): boolean {
  if (direction === "undo") return phase === "issued" || phase === "staged" || phase === "cut";
  return endingPhases.has(phase) || (order === "single-slot" && phase === "drained");
}

function yes(text: string): DecisionMeaning {
  return { allowed: true, text };
}

function no(text: string): DecisionMeaning {
  return { allowed: false, text };
}
