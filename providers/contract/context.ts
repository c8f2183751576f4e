import type { Egress } from "./egress.ts";

/** A provider's log: closed vocabulary of events, plain fields only. */
export type ProviderLog = (event: string, fields?: Readonly<Record<string, string | number | boolean>>) => void;

/** What a request goes by: until when it may, and whether it has to wait for its turn. */
export type RequestWay = Pick<ProviderContext, "signal" | "spend">;

/** All that a provider gets of the world. It never sees Temporal, the ledger or the environment. */
export interface ProviderContext {
  readonly signal: AbortSignal;
  readonly fetch: Egress;
  /**
   * Waits until the connection's budget lets one more request go, which is then spent; absent where it has none. `fetch`
   * does so by itself: whoever speaks another protocol calls it before each login. Rejects when the signal is aborted.
   */
  readonly spend?: () => Promise<void>;
  readonly log: ProviderLog;
}
