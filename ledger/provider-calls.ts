import { sql, type Kysely } from "kysely";
import type { Tables } from "./tables.ts";

export const callOutcomes = ["ok", "throttled", "failed", "waited"] as const;
export type CallOutcome = (typeof callOutcomes)[number];

export interface ProviderCalls {
  /** Of an issuer or a consumer. */
  readonly kind: string;
  /** What the contract calls it: issue, probe, deliver, … */
  readonly verb: string;
  readonly outcome: CallOutcome;
  readonly calls: number;
}

/** Adds to what all workers have counted. In one order, so that two who add at once cannot wait for each other. */
export async function addProviderCalls(db: Kysely<Tables>, counted: readonly ProviderCalls[]): Promise<void> {
  if (counted.length === 0) return;
  await sql`
    INSERT INTO provider_calls AS p (kind, verb, outcome, calls)
    SELECT kind, verb, outcome, calls
    FROM jsonb_to_recordset(${JSON.stringify(counted)}::jsonb) AS g (kind text, verb text, outcome text, calls bigint)
    ORDER BY kind, verb, outcome
    ON CONFLICT (kind, verb, outcome) DO UPDATE SET calls = p.calls + excluded.calls`.execute(db);
}
