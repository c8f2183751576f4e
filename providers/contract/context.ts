import type { Egress } from "./egress.ts";

/** A provider's log: closed vocabulary of events, plain fields only. */
export type ProviderLog = (event: string, fields?: Readonly<Record<string, string | number | boolean>>) => void;

/** All that a provider gets of the world. It never sees Temporal, the ledger or the environment. */
export interface ProviderContext {
  readonly signal: AbortSignal;
  readonly fetch: Egress;
  readonly log: ProviderLog;
}
