/** The answer of a call to an address that people gave. The body is for the collector only, never for an error. */
export interface EgressAnswer {
  /**
   * `refused` is everything that kept the call from being answered: a rule of ours, the network, TLS. Which one it was
   * goes to the worker's log alone, or an app team could map a network by it.
   */
  readonly outcome: "reached" | "refused" | "timed-out";
  /** Only when reached. A redirect is an answer like any other and is not followed. */
  readonly status?: number;
  /** The parsed JSON of a 200 within the size limit; absent otherwise. */
  readonly body?: unknown;
}

export interface EgressRequest {
  readonly url: string;
  readonly json: unknown;
  /** Connect here instead of what the name resolves to; TLS still checks the name. */
  readonly address?: string;
}

/** The one way out for HTTP. Implemented in `egress-client.ts`; tests pass their own. */
export interface Egress {
  /** Posts JSON. Throws only the signal's own reason, when it is aborted. */
  (request: EgressRequest, signal: AbortSignal): Promise<EgressAnswer>;
  /** All addresses the name resolves to, none twice; empty when it resolves to none or not in time. */
  resolve(hostname: string): Promise<readonly string[]>;
}
