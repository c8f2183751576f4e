import type { RekeyError } from "../domain/errors.ts";
import type { Value } from "../providers/contract/value.ts";

export const purposes = ["version", "connection", "check"] as const;

/** Names one resting value, and everything it must stay tied to. */
export interface CustodyRef {
  readonly instance: string;
  /** The credential's id; for a connection's own secret, the connection's; for one given to a check, the check's. */
  readonly credential: string;
  readonly version: number;
  /** Id of the ledger row that points at the value. */
  readonly row: string;
  readonly purpose: (typeof purposes)[number];
  readonly pool: string;
  /** Of a connection's secret: digest of its address, TLS and login settings. Another digest cannot open it. */
  readonly binding?: string;
}

/** What custody answers for one of many: the value, nothing, or why it cannot be opened. */
export type CustodyAnswer = Value | RekeyError | undefined;

/** Where values rest while we need them. */
export interface Custody {
  /** Stores unless something is there already; answers with what is there now, so that all attempts use one value. */
  putIfAbsent(ref: CustodyRef, value: Value): Promise<Value>;
  /** Undefined when nothing is there; throws when something is and cannot be opened. */
  get(ref: CustodyRef): Promise<Value | undefined>;
  /** Destroys the value; nothing happens when it is gone already. */
  forget(ref: CustodyRef): Promise<void>;
  /** The same for many in one round trip, for kinds that can. Answers are in the order asked. */
  putManyIfAbsent?(entries: readonly CustodyEntry[]): Promise<readonly CustodyAnswer[]>;
  getMany?(refs: readonly CustodyRef[]): Promise<readonly CustodyAnswer[]>;
  forgetMany?(refs: readonly CustodyRef[]): Promise<void>;
}

export interface CustodyEntry {
  readonly ref: CustodyRef;
  readonly value: Value;
}

/** The key under which a value lies. Parts are percent-encoded, so that no two refs share one. */
export function custodyKey({ credential, version, purpose }: CustodyRef): string {
  return `${encodeURIComponent(credential)}/${version}/${purpose}`;
}
