import { keptClauses } from "./suite/kept.ts";
import { tiedClauses } from "./suite/tied.ts";
import { troubledClauses } from "./suite/troubled.ts";
import type { CustodyAbility, CustodyClause } from "./suite/world.ts";

export type { CustodyAbility, CustodyClause, CustodyWorld } from "./suite/world.ts";

/** What every kind of custody must do. A kind's test runs each clause on a world of its own. */
export const custodyClauses: readonly CustodyClause[] = [...keptClauses, ...tiedClauses, ...troubledClauses];

/** Those that a world can be asked which lacks some abilities, each for a reason that is written down. */
export const clausesWithout = (lacks: Readonly<Partial<Record<CustodyAbility, string>>>): readonly CustodyClause[] =>
  custodyClauses.filter(({ needs }) => needs === undefined || lacks[needs] === undefined);
