import type { KeyObject } from "node:crypto";
import type { Fingerprints } from "../custody/fingerprint.ts";
import type { RoutedCustody } from "../custody/route.ts";
import type { Log } from "../custody/scrubbed-log.ts";
import type { Scope } from "../domain/scope.ts";
import type { Ledger } from "../ledger/database.ts";
import type { Catalog } from "../providers/catalog.ts";
import type { CustodyKeyPlace } from "./doctor-looks.ts";
import type { TlsFiles } from "./tls-server.ts";
import type { Answer, Received, RouteName } from "./route-table.ts";

/** All that the API needs of the world. */
export interface ApiDeps {
  readonly ledger: Ledger;
  readonly custody: RoutedCustody;
  /** The place of new credentials whose manifest says nothing. */
  readonly custodyDefault: string;
  /** Tells whether the same secret is given again. */
  readonly fingerprints: Fingerprints;
  readonly catalog: Catalog;
  /** This installation of rekey: `ins_…`. */
  readonly instance: string;
  /** Of the keys that sign the audit trail and receipts, by their ids, oldest first. */
  readonly auditKeys: ReadonlyMap<string, KeyObject>;
  readonly log: Log;
  readonly custodyKey: CustodyKeyPlace;
  /** Why the custody key can be read no more, a sentence; undefined when it can. */
  readonly custodyTrouble: () => Promise<string | undefined>;
  /** Host names by which it is asked, besides loopback's. */
  readonly names: readonly string[];
  /** Absent: plain http. */
  readonly tls?: TlsFiles | undefined;
  /** How long one look of `rekey doctor` may take. */
  readonly doctorLookMs: number;
  /** How many values one token may have compared with what is known, in a minute. */
  readonly leakValuesAMinute: number;
}

/** Who asks: the id of a token, or `anonymous`. */
export interface Caller {
  readonly actor: string;
  /** What it may see and touch; every look at the ledger takes it. */
  readonly scope: Scope;
}

export type Handler<N extends RouteName> = (call: Received<N> & Caller, deps: ApiDeps) => Promise<Answer<N>>;
export type Handlers<N extends RouteName> = { readonly [K in N]: Handler<K> };

type Json<T> = T extends Date
  ? string
  : T extends readonly (infer E)[]
    ? Json<E>[]
    : T extends object
      ? { -readonly [K in keyof T]: Json<T[K]> }
      : T;

/** JSON of a view: times become text. A `Secret` in it would throw, and what the route's schema lacks is left out. */
export function asJson<T>(view: T): Json<T> {
  return JSON.parse(JSON.stringify(view)) as Json<T>;
}
