import type { Secret } from "./secret.ts";

/** The answer of a call to an address that people gave. The body is for the provider only, never for an error. */
export interface EgressAnswer {
  /**
   * `refused` is everything that kept the call from being answered: a rule of ours, the network, TLS. Which one it was
   * goes to the worker's log alone, or an app team could map a network by it.
   */
  readonly outcome: "reached" | "refused" | "timed-out";
  /** Only when reached. A redirect is an answer like any other and is not followed. */
  readonly status?: number;
  /** The parsed JSON of a success (2xx) within the size limit, of any status where `reads` says so; absent otherwise. */
  readonly body?: unknown;
  /** With `reads: "raw"` in place of `body`: what came within the size limit, whatever it is, and its headers. */
  readonly raw?: { readonly text: string; readonly headers: Readonly<Record<string, string>> };
  /** Where the server says when to ask again. Milliseconds. */
  readonly retryAfterMs?: number;
}

export interface EgressRequest {
  readonly url: string;
  /** The body. Absent: there is none, unless there is `text`. */
  readonly json?: unknown;
  /** A body that is no JSON, or one that is signed as it is: sent byte for byte. */
  readonly text?: string;
  /** Connect here instead of what the name resolves to; TLS still checks the name. */
  readonly address?: string;
  /** POST unless given. */
  readonly method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  /** What the body is; plain JSON unless given. */
  readonly contentType?: string;
  /** Sent as a bearer token, and over TLS alone. */
  readonly token?: Secret<string>;
  /** What else is said, by lower-case names. Nothing secret, and nothing of the connection: those are the call's own. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Headers that are secret, or prove who asks: sent over TLS alone. */
  readonly secretHeaders?: Readonly<Record<string, Secret<string>>>;
  /** PEM of the only authorities that may vouch for the server. Those of the platform and the settings unless given. */
  readonly ca?: string;
  /** The longest body that is read. Bytes; 64 KiB unless given. */
  readonly largestAnswer?: number;
  /** What is read of an answer: a success's JSON unless given; the JSON of any status; or its text, unparsed. */
  readonly reads?: "success" | "any" | "raw";
}

/** The one way out for HTTP. Implemented in `egress-client.ts`; tests pass their own. */
export interface Egress {
  /** Throws only the signal's own reason, when it is aborted. */
  (request: EgressRequest, signal: AbortSignal): Promise<EgressAnswer>;
  /** All addresses the name resolves to, none twice; empty when it resolves to none or not in time. */
  resolve(hostname: string): Promise<readonly string[]>;
}
