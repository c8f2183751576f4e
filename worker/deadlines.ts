import { createTroubleSpell, type SpellListener } from "../domain/trouble-spell.ts";
import type { Ledger } from "../ledger/database.ts";
import { settleDue } from "../ledger/emergencies.ts";
import { createRounds, type Rounds } from "../ledger/rounds.ts";

const everyMs = 1_000;

/** Looks whether the time of an emergency is over, and begins what could not begin before. Any number of them may run. */
export function createDeadlines(options: SpellListener & { readonly ledger: Ledger }): Rounds {
  const round = async (): Promise<number> => settleDue(options.ledger).then(() => everyMs);
  return createRounds(round, { spell: createTroubleSpell(options), afterFailureMs: everyMs * 4 });
}
