import {
  isPastReturn,
  nextPhase,
  previousPhase,
  stepFor,
  undoStepFor,
  type Order,
  type Phase,
  type ReturnConditions,
  type UndoStep,
} from "./order.ts";

/** One thing to do during undo. `consumers` is there where the step goes to them. */
export interface UndoAction {
  readonly phase: Phase;
  readonly does: UndoStep | "guard-candidate" | "prove-refused" | "forget";
  readonly consumers?: readonly string[];
}

export interface UndoInput {
  readonly order: Order;
  readonly phase: Phase;
  /** Consumers that may hold the candidate: a delivery whose answer was lost counts. */
  readonly touched: readonly string[];
  readonly conditions?: ReturnConditions;
  /** The step out of `phase` had begun, so its effect may be there although the phase does not say so. */
  readonly begunNext?: boolean;
}

/**
 * All of an undo, in the order in which it has to happen; undefined when it is refused. A value is forgotten in custody
 * only after the candidate was seen refused: before that it may be the only copy of a key that opens something.
 */
export function undoActions(input: UndoInput): readonly UndoAction[] | undefined {
  const { order, touched, conditions } = input;
  const from = undoneFrom(input);
  if (isPastReturn(order, from, conditions)) return undefined;
  const actions: UndoAction[] = [];
  let restored = touched.length === 0;
  for (let phase: Phase | undefined = from; phase !== undefined; phase = previousPhase(order, phase, conditions)) {
    const step = undoStepFor(order, phase, conditions);
    // Deliveries begin while the phase is still the one before, so the touched consumers count, not the phase.
    if (!restored && (step === "restore" || step === "abandon" || step === "cut-back")) {
      actions.push({ phase, does: "restore", consumers: touched });
      restored = true;
    }
    if (step !== undefined) actions.push(...parts[step].map((does) => ({ phase, does })));
  }
  return actions;
}

/** What an undo step consists of. `restore` is put in by the touched consumers. */
const parts: Record<UndoStep, readonly UndoAction["does"][]> = {
  restore: [],
  demote: ["demote"],
  enable: ["enable"],
  abandon: ["guard-candidate", "abandon", "prove-refused", "forget"],
  // One slot: nobody can be back on the former value before it is in force again, so the guard comes after.
  "cut-back": ["cut-back", "guard-candidate", "prove-refused"],
  unstage: ["forget"],
  close: ["close"],
};

/** Entering `revoking` is one transaction of the ledger: it never begins without being done. */
function undoneFrom({ order, phase, begunNext }: UndoInput): Phase {
  if (begunNext !== true || stepFor(order, phase) === "guard") return phase;
  return nextPhase(order, phase) ?? phase;
}
