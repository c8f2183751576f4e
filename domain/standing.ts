import { placeOf, stepFor, type Direction, type Order, type Phase, type Step } from "./order.ts";

/** What a step answers to the workflow. Nothing else travels: what was found lies in the ledger. */
export type StepAnswer =
  /** It lies behind: go on to the next. */
  | { readonly now: "done" }
  /** Ask again after so long, or as soon as somebody says to look. */
  | { readonly now: "wait"; readonly waitMs: number }
  /** It went back: begin the story anew, each step knows where it stands. */
  | { readonly now: "again" }
  /** It hurries, and has to go on where nothing waits for routine work. */
  | { readonly now: "urgent" }
  /** The rotation is being undone. */
  | { readonly now: "undo" }
  /** The rotation is closed. */
  | { readonly now: "over" };

/** What of a rotation decides whether a step may act now. */
export interface Standing {
  readonly order: Order;
  readonly phase: Phase;
  readonly direction: Direction;
  readonly paused: boolean;
  readonly isOnHold: boolean;
  /** How long until `wait_until`, by the ledger's clock; 0 when nothing is waited for. */
  readonly waitMs: number;
}

/** The longest that anything waits without reading the ledger again, whatever wakes it. */
export const longestWaitMs = 60_000;

/** The same of what waits for nothing but a window or the end of a freeze, and is told when that changes. Milliseconds. */
export const farWaitMs = 300_000;

/**
 * Whether a step may act, or why not. A step that is not the next one lies behind: the workflow goes through the steps
 * in their order from the start each time it begins anew, and the ledger alone knows how far the rotation is.
 */
export function mayAct(step: Step | "undo", standing: Standing): StepAnswer | "act" {
  const { order, phase, direction, paused, isOnHold, waitMs } = standing;
  if (phase === "closed") return { now: "over" };
  if (step === "undo" ? direction !== "undo" : direction === "undo")
    return step === "undo" ? { now: "done" } : { now: "undo" };
  if (step !== "undo" && !isNext(step, order, phase)) return { now: "done" };
  if (isOnHold || (paused && direction === "forward")) return { now: "wait", waitMs: longestWaitMs };
  if (waitMs > 0) return { now: "wait", waitMs: Math.min(waitMs, longestWaitMs) };
  return "act";
}

function isNext(step: Step, order: Order, phase: Phase): boolean {
  return step === "preflight" ? placeOf(order, phase) === 0 : stepFor(order, phase) === step;
}
