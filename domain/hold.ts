import { codes, type Code } from "./errors.ts";
import {
  contains,
  isPastReturn,
  nextPhase,
  placeOf,
  pointOfNoReturn,
  stepFor,
  type Direction,
  type Order,
  type Outcome,
  type Phase,
  type ReturnConditions,
  type Step,
} from "./order.ts";
import { undoActions, type UndoAction } from "./undo.ts";

/** The answers to a hold. */
export const decisions = ["retry", "roll-back", "accept"] as const;

export type Decision = (typeof decisions)[number];

/** Going on over an open gap is somebody's word for it, so that it is kept with why. The others explain themselves. */
export const needsReason = (decision: string): boolean => decision === "accept";

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

/** What each step does when it is tried again. */
const tries: Readonly<Record<Step, string>> = {
  preflight: "looks again whether everything is as a rotation needs it, and changes nothing",
  issue: "goes on to make the new version and sees it accepted",
  stage: "goes on to choose the new value; the issuer is not touched",
  cut: "goes on to set the new value in place of the former one",
  deliver: "brings the new version to each consumer that has not got it yet",
  adopt: "asks each consumer once more to show that it runs on the new version",
  promote: "makes the new version the current one",
  drain: "waits out the grace, and asks each consumer once more",
  disable: "has the old version refused, so that it can still be restored",
  guard: "asks each consumer once more, the last time before the old version ends",
  revoke: "goes on to end the old version and the sessions on it",
  end: "ends the sessions from before the cut",
  prove: "asks the issuer once more whether it refuses the old version",
  close: "closes the rotation",
};

function retryMeaning(order: Order, phase: Phase, direction: Direction, code: Code): DecisionMeaning {
  const step = stepFor(order, phase) ?? "close";
  const what =
    direction === "undo" ? `Tries the undo from ${phase} again` : `Tries the step ${step} again: it ${tries[step]}`;
  const isBefore = phase === "reserved" && direction === "forward";
  // A registration has a history, which no correction takes back.
  if (code === "registration_changed" && !isBefore)
    return yes(`${what}. It does not help where this is all that is missing, and it is asked again: ${codes[code]}.`);
  const anew = isBefore ? " Consumers that were changed meanwhile count as they are registered now." : "";
  return yes(
    `${what}. Do it once this is no longer so: ${codes[code]}. What is still open then is asked about anew.${anew}`,
  );
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
  if (phase === "reserved")
    return yes("Closes the rotation. Nobody was given the new version; if it was begun, it is ended first.");
  return yes(`Undoes the rotation as far as it has come: ${undone(order, phase, conditions).join("; ")}.`);
}

/** What the parts of an undo mean to whom they touch; the others follow from these. */
const undoes: Readonly<Partial<Record<UndoAction["does"], string>>> = {
  enable: "the former version may log in again",
  demote: "it is the current one again",
  restore: "each consumer that got the new version gets the former one back",
  "cut-back": "the former value is set again at the issuer",
  "guard-candidate": "nobody may be seen on the new version any more",
  abandon: "the new version is ended and seen refused",
};

/** The parts of the undo from here, in their order. The step under way counts as begun where it can be undone. */
function undone(order: Order, phase: Phase, conditions: ReturnConditions = {}): readonly string[] {
  const mayBeDelivered = placeOf(order, phase) + 1 >= placeOf(order, "delivered");
  const input = { order, phase, touched: mayBeDelivered ? ["any"] : [], conditions };
  const actions = undoActions({ ...input, begunNext: true }) ?? undoActions(input) ?? [];
  return actions.flatMap(({ does }) => undoes[does] ?? []);
}

/** Gaps of the guard and of the waits before it: a person may go on and answer for who breaks. */
const guardGaps: ReadonlySet<Code> = new Set<Code>([
  "evidence_missing",
  "registration_changed",
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

/** Who is cut off since the version was ended before they had another gets that all the same. */
const unprovenWhileOut: DecisionMeaning = {
  ...unproven,
  text: "Gives the consumers the new version although the former one may still be accepted somewhere; the rotation will close as closed-unproven, never as proven.",
};

function acceptMeaning(order: Order, phase: Phase, direction: Direction, code: Code): DecisionMeaning {
  const givenUp = direction === "forward" && contains(order) ? unprovenWhileOut : unproven;
  if (code === "target_unused" && direction === "forward")
    return yes(
      "Goes on and makes the targets named in the gaps new; the decision is recorded with your name. If an application reads elsewhere, it loses its login once the old version ends.",
    );
  if (code === "emergency_overdue")
    return yes(
      "Ends what has leaked now, before its consumers have moved: those that have not are cut off, and get the new version after. The decision is recorded with your name.",
    );
  if (phase === "reserved")
    return no("Nothing has been done yet, so there is nothing to accept: correct it and retry.");
  if (code === "death_unproven") {
    // During undo it is the candidate whose death is asked for, once it has been abandoned.
    return asksForDeath(order, phase, direction)
      ? givenUp
      : no("Nothing has been ended yet, so there is no death to accept.");
  }
  if (direction === "forward" && code === "still_in_use" && asksForDeath(order, phase, direction)) return givenUp;
  if (direction === "forward" && unasked.has(code) && stepFor(order, phase) === "prove") return givenUp;
  if (guardGaps.has(code)) {
    return direction === "undo"
      ? yes("Goes on with the undo although ending the candidate may break the consumers named in the gaps.")
      : yes(
          `Goes on although it may break the consumers named in the gaps; the decision is recorded with your name. ${afterAccept(order, phase)}`,
        );
  }
  if (code === "former_unknown" && direction === "forward")
    return yes(
      `Goes on without the value that the consumers had: ${phase === "issued" ? "it is overwritten where they read it, so keep a copy" : "whoever still needs it is cut off"}. ${afterAccept(order, phase)}`,
    );
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

function afterAccept(order: Order, phase: Phase): string {
  return nextPhase(order, phase) === pointOfNoReturn(order)
    ? "It crosses the point of no return at once: the old version is ended and cannot be had back."
    : "The same gaps are not asked about again on the way to the end of the old version.";
}

function asksForDeath(order: Order, phase: Phase, direction: Direction): boolean {
  if (direction === "undo") return phase === "issued" || phase === "staged" || phase === "cut";
  const next = stepFor(order, phase);
  return endingPhases.has(phase) || next === "end" || next === "prove";
}

function yes(text: string): DecisionMeaning {
  return { allowed: true, text };
}

function no(text: string): DecisionMeaning {
  return { allowed: false, text };
}
