import { deliverClauses } from "./consumer-clauses/deliver.ts";
import { lookClauses } from "./consumer-clauses/look.ts";
import { consumerWorldChecks } from "./consumer-world-checks.ts";
import type { ConsumerWorld } from "./consumer-world.ts";
import { describeClauses, type Subject } from "./suite.ts";

/** The contract of DESIGN.md section 7 for consumers, a clause each. The number says where the clause is from. */
const all = { ...deliverClauses, ...lookClauses };

export type ConsumerClauseName = keyof typeof all;

/** A clause, or a check of the world that judges by it. */
export type ConsumerRuleName = ConsumerClauseName | keyof typeof consumerWorldChecks;

export const consumerClauses: Readonly<Record<ConsumerClauseName, (world: ConsumerWorld) => Promise<void>>> = all;

export function describeConsumer(subject: Subject<ConsumerWorld, ConsumerRuleName>): void {
  describeClauses("the consumer", subject, consumerClauses, consumerWorldChecks);
}
