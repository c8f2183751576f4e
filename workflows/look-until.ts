import { condition, continueAsNew, defineQuery, defineSignal, setHandler, workflowInfo } from "@temporalio/workflow";
import type { Step } from "../domain/order.ts";
import { farWaitMs, type StepAnswer } from "../domain/standing.ts";

/** Something in the ledger has changed: look now instead of when the timer ends. Carries nothing. */
const lookAgainSignal = defineSignal("lookAgain");

/** Where the workflow is, for people who look at it in Temporal. The ledger knows better. */
const progressQuery = defineQuery<{ readonly step: Step | "undo" | "rush"; readonly now: StepAnswer["now"] }>(
  "progress",
);

/** A run that is older takes its next wait as the chance to go on in a new one, on the code of the day. */
const oldestRunMs = 24 * 3_600_000;

export type LookUntil = (
  step: Step | "undo" | "rush",
  ask: () => Promise<StepAnswer>,
) => Promise<Exclude<StepAnswer["now"], "wait">>;

/**
 * Asks a step until it answers with something else than to wait. A signal cuts a wait short and a timer only wakes: what
 * is due is decided by the ledger, so a lost signal costs until the dispatcher tells again.
 */
export function lookUntil(id: string): LookUntil {
  let isTold = false;
  let at: { step: Step | "undo" | "rush"; now: StepAnswer["now"] } = { step: "preflight", now: "wait" };
  setHandler(lookAgainSignal, () => {
    isTold = true;
  });
  setHandler(progressQuery, () => at);
  return async (step, ask) => {
    for (;;) {
      // Before the step reads the ledger: what is told while it does is looked at once more.
      isTold = false;
      const answer = await ask();
      at = { step, now: answer.now };
      if (answer.now !== "wait") return answer.now;
      if (answer.waitMs > 0) await condition(() => isTold, Math.min(answer.waitMs, farWaitMs));
      const { continueAsNewSuggested, runStartTime } = workflowInfo();
      if (continueAsNewSuggested || Date.now() - runStartTime.getTime() > oldestRunMs) await continueAsNew(id);
    }
  };
}
