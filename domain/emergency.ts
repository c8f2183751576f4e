import { containing, contains, isOneSlot, placeOf, type Direction, type Order, type Phase } from "./order.ts";

/** What is done when an emergency's time is over and a version is not dead. */
export const deadlineOutcomes = ["contain", "hold"] as const;
export type DeadlineOutcome = (typeof deadlineOutcomes)[number];

/** Whether what has leaked ends after its consumers have moved, within the deadline, or before they have another. */
export const emergencyOrders = ["continuity-first", "contain-first"] as const;
export type EmergencyOrder = (typeof emergencyOrders)[number];

/**
 * What is done where the issuer has no room for another version: the older one that takes the place is ended, what has
 * leaked is ended before there is another, or a person is asked.
 */
export const slotChoices = ["end-older", "in-place", "hold"] as const;
export type SlotChoice = (typeof slotChoices)[number];

/** Without a choice: consumers that are to break all the same break a moment longer; others are not broken unasked. */
export const slotChoiceFor = (choice: SlotChoice | undefined, order: Order): SlotChoice =>
  choice ?? (contains(order) ? "in-place" : "hold");

/** What keeps routine work and does not keep an emergency. */
export const obstructions = ["window", "freeze", "policy-pause", "pause", "hold", "back-off", "given-up"] as const;
export type Obstruction = (typeof obstructions)[number];

/** What an emergency asks of one credential. */
export interface Demand {
  /** To be proven dead. */
  readonly versions: readonly number[];
  /** Ends them before consumers have another; from the start, or since its time is over. */
  readonly contain: boolean;
}

/** The rotation that runs while an emergency is declared, as far as that decides. */
export interface Running {
  readonly order: Order;
  readonly phase: Phase;
  readonly direction: Direction;
  readonly urgent: boolean;
  readonly fromVersion: number;
  readonly toVersion: number;
  /** The intent of the step that makes the candidate exists. */
  readonly isCandidateBegun: boolean;
  /** Its undo has begun to end the candidate, or has. */
  readonly isCandidateLeaving: boolean;
  /** A consumer's target may hold the candidate. */
  readonly isTouched: boolean;
  /** The value of the former version can be set again. */
  readonly formerInCustody: boolean;
}

/** How the running rotation goes on. */
export interface Course {
  /**
   * - `join`, `upgrade`: it makes the clean version that is needed, urgently already or from now on.
   * - `turn-forward`: the same, although it was being undone.
   * - `successor`: it ends as said below, and its own end reserves the rotation that makes the clean version.
   */
  readonly how: "join" | "upgrade" | "turn-forward" | "successor";
  readonly order: Order;
  readonly phase: Phase;
  readonly direction: Direction;
}

/**
 * What becomes of a running rotation. Its candidate may be used only if it has not leaked; a version that has leaked is
 * never delivered, forward or back.
 */
export function courseOf(demand: Demand, running: Running): Course {
  const { direction, fromVersion, toVersion, isCandidateBegun, isCandidateLeaving } = running;
  const isNamed = (version: number): boolean => demand.versions.includes(version);
  const forward = ahead(demand, running);
  const isUndo = direction === "undo";
  // Nothing of it was made yet: what will be made has not leaked.
  if (!isCandidateBegun) return isUndo ? follow(running, "undo") : { how: joined(running), ...forward };
  if (isCandidateLeaving) return follow(running, "undo");
  if (!isNamed(toVersion)) return { how: isUndo ? "turn-forward" : joined(running), ...forward };
  if (!isUndo && isEnding(running.order, running.phase)) return follow(running, "forward");
  const isFormerClean = !isNamed(fromVersion);
  if (isOneSlot(running.order)) {
    // Nobody has the candidate before the cut; after it only a clean former value that is there can be set again.
    const isBack = !isCut(running) || (isFormerClean && running.formerInCustody);
    return isBack ? follow(running, "undo") : { how: "successor", ...ahead({ ...demand, contain: true }, running) };
  }
  // Back to a former version that is clean; where it is not, nobody who has the candidate can be brought back.
  return isFormerClean || !running.isTouched ? follow(running, "undo") : { how: "successor", ...forward };
}

const isCut = ({ order, phase }: Running): boolean => placeOf(order, phase) >= placeOf(order, "cut");

const joined = ({ urgent }: Running) => (urgent ? "join" : "upgrade");

const follow = ({ order, phase }: Running, direction: Direction): Course => ({
  how: "successor",
  order,
  phase,
  direction,
});

/** From where it goes forward, and in which order. */
function ahead({ contain }: Demand, running: Running): Omit<Course, "how"> {
  const { order, direction } = running;
  const phase = direction === "undo" ? turnedAt(running) : running.phase;
  const direct = { order, phase, direction: "forward" } as const;
  // Once the former version is told to end there is nothing left to contain.
  if (!contain || isEnding(order, phase)) return direct;
  const to = containing(order);
  return to === order ? direct : { order: to, phase: containedAt(order, phase), direction: "forward" };
}

/** The undo took back nobody knows how much: all after the candidate was made is done again, and what holds is success. */
function turnedAt({ order, phase }: Running): Phase {
  const made: Phase = isOneSlot(order) ? "cut" : "issued";
  return placeOf(order, phase) > placeOf(order, made) ? made : phase;
}

/** The former version is ended or about to be. */
export const isEnding = (order: Order, phase: Phase): boolean =>
  placeOf(order, phase) >= placeOf(order, isOneSlot(order) ? "ended" : "revoking") && placeOf(order, phase) > 0;

/** The same place in the order that contains: what was delivered and shown before the end is asked for after it. */
function containedAt(order: Order, phase: Phase): Phase {
  const last: Phase = isOneSlot(order) ? "cut" : "issued";
  return placeOf(order, phase) > placeOf(order, last) ? last : phase;
}
