import type { ConsumerSession, Delivery, Observation } from "../../../providers/contract/consumer.ts";
import { revealField } from "../../../providers/contract/value.ts";
import type { ConsumerClauseName } from "../consumer-suite.ts";
import { storeConfig, type ConsumerTwist } from "../reference/consumer-world.ts";
import type { Store } from "../reference/store.ts";

/** A reference consumer with one small change, and the clause that must catch it. */
export interface WrongConsumer {
  readonly name: string;
  readonly caughtBy: ConsumerClauseName;
  readonly twist: ConsumerTwist;
}

type Delivering = (right: ConsumerSession, store: Store, delivery: Delivery) => Promise<{ readonly digest: string }>;
type Observing = (seen: Observation, store: Store) => Observation;

export const wrongDeliver = (name: string, caughtBy: ConsumerClauseName, deliver: Delivering): WrongConsumer => ({
  name,
  caughtBy,
  twist: { session: (right, store) => ({ deliver: (delivery) => deliver(right, store, delivery) }) },
});

export const wrongObserve = (name: string, caughtBy: ConsumerClauseName, observe: Observing): WrongConsumer => ({
  name,
  caughtBy,
  twist: { session: (right, store) => ({ observe: async () => observe(await right.observe(), store) }) },
});

/** What the store's keys would get, with no look at whether it is fit. */
export const entriesOf = (delivery: Delivery): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(storeConfig.keys).map(([key, field]) => [key, revealField(delivery.value, field)]));

/** Writes past every check. */
export async function force(store: Store, delivery: Delivery, right: ConsumerSession): Promise<{ digest: string }> {
  store.write({ entries: { ...store.document.entries, ...entriesOf(delivery) }, number: delivery.number });
  return { digest: (await right.observe()).digest };
}
