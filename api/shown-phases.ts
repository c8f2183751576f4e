import { orders, placeOf, pointOfNoReturn, type Order, type Outcome, type Phase } from "../domain/order.ts";

export interface ShownPhase {
  readonly phase: Phase;
  readonly state: "done" | "here" | "to come";
  readonly isPointOfNoReturn: boolean;
}

interface Standing {
  readonly order: Order;
  readonly phase: Phase;
  readonly outcome: Outcome | null;
}

/** Each phase of the order, and whether what it stands for is so now. Of an undone rotation nothing is, but its end. */
export function shownPhases({ order, phase, outcome }: Standing): ShownPhase[] {
  const all: readonly Phase[] = orders[order];
  const here = placeOf(order, phase);
  return all.map((one, place) => ({
    phase: one,
    state: outcome === null ? stateAt(place - here) : holdsAfter(outcome, one) ? "done" : "to come",
    isPointOfNoReturn: one === pointOfNoReturn(order),
  }));
}

const stateAt = (distance: number) => (distance < 0 ? "done" : distance === 0 ? "here" : "to come");

function holdsAfter(outcome: Outcome, phase: Phase): boolean {
  if (phase === "closed" || outcome === "proven") return true;
  return outcome === "closed-unproven" && phase !== "proven";
}
