import { placeOf, refusingStep, stepFor, stepsOf, type Order, type Phase, type Step } from "../domain/order.ts";
import type { StepAnswer } from "../domain/standing.ts";

interface Place {
  readonly order: Order;
  readonly phase: Phase;
}

export interface Rush {
  /** Where the rotation stands now; undefined when there is none. */
  readonly place: () => Promise<Place | undefined>;
  /** `isFirst`: what has leaked is still let in, so that everything else lets it pass. */
  readonly take: (step: Step | "undo", isFirst: boolean) => Promise<StepAnswer>;
  /** Whether there are others whose leak is still let in. */
  readonly mustQueue: () => boolean;
}

/**
 * Takes the steps of a rotation one after the other in one piece of work, as long as none has to wait: what hurries does
 * not go back to the orchestrator after each of them. An emergency may change the order or turn it round between any two.
 * Once what has leaked is refused it queues up again, if there are others whose leak is still let in.
 */
export async function rush({ place, take, mustQueue }: Rush): Promise<StepAnswer> {
  for (;;) {
    const at = await place();
    if (at === undefined || at.phase === "closed") return { now: "over" };
    const answer = await through(at, { take, mustQueue });
    if (answer.now === "wait" || answer.now === "over") return answer;
    if (answer.now !== "undo") continue;
    const undone = await take("undo", true);
    if (undone.now === "wait" || undone.now === "over") return undone;
  }
}

/** The first answer that is not that the step is done. */
async function through(
  { order, phase }: Place,
  { take, mustQueue }: Pick<Rush, "take" | "mustQueue">,
): Promise<StepAnswer> {
  const refusing = refusingStep[order];
  let isFirst = !isRefused(order, phase);
  for (const step of stepsFrom(order, phase)) {
    const answer = await take(step, isFirst);
    if (answer.now !== "done") return answer;
    if (step !== refusing) continue;
    if (mustQueue()) return { now: "wait", waitMs: 0 };
    isFirst = false;
  }
  return { now: "again" };
}

/** Those that lie before the rotation; in `reserved` all of them. */
function stepsFrom(order: Order, phase: Phase): readonly Step[] {
  const steps = stepsOf(order);
  const next = stepFor(order, phase);
  return placeOf(order, phase) <= 0 || next === undefined ? steps : steps.slice(steps.indexOf(next));
}

const isRefused = (order: Order, phase: Phase): boolean =>
  placeOf(order, phase) >= 0 && !stepsFrom(order, phase).includes(refusingStep[order]);
