import { stepsOf, type Order, type Step } from "../domain/order.ts";
import type { StepAnswer } from "../domain/standing.ts";

export interface Rush {
  /** The order as it is now; undefined when there is no such rotation. */
  readonly order: () => Promise<Order | undefined>;
  readonly take: (step: Step | "undo") => Promise<StepAnswer>;
}

/**
 * Takes the steps of a rotation one after the other in one piece of work, as long as none has to wait: what hurries does
 * not go back to the orchestrator after each of them. A step that lies behind says so, as everywhere, and an emergency may
 * change the order or turn it round between any two.
 */
export async function rush({ order, take }: Rush): Promise<StepAnswer> {
  for (;;) {
    const now = await order();
    if (now === undefined) return { now: "over" };
    const answer = await through(stepsOf(now), take);
    if (answer.now === "wait" || answer.now === "over") return answer;
    if (answer.now !== "undo") continue;
    const undone = await take("undo");
    if (undone.now === "wait" || undone.now === "over") return undone;
  }
}

/** The first answer that is not that the step is done. */
async function through(steps: readonly Step[], take: Rush["take"]): Promise<StepAnswer> {
  for (const step of steps) {
    const answer = await take(step);
    if (answer.now !== "done") return answer;
  }
  return { now: "again" };
}
