/** The answer of a call to an address that people gave. The body is for the collector only, never for an error. */
export interface EgressAnswer {
  readonly outcome: "reached" | "refused" | "timed-out";
  readonly status?: number;
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
  (request: EgressRequest, signal: AbortSignal): Promise<EgressAnswer>;
  /** All addresses the name resolves to. */
  resolve(hostname: string): Promise<readonly string[]>;
}
