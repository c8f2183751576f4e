import type { KeyObject } from "node:crypto";
import type { CallCounts } from "./count-calls.ts";
import type { Precedence } from "./precedence.ts";
import type { SeenAccepted } from "./seen-accepted.ts";
import type { StepBooks } from "./step-books.ts";
import type { RoutedCustody } from "../custody/route.ts";
import type { Fingerprints } from "../custody/fingerprint.ts";
import type { ObservationKeys } from "../custody/observation-keys.ts";
import type { Scrubber } from "../custody/scrubber.ts";
import type { Ledger } from "../ledger/database.ts";
import type { RequestBudgets } from "../ledger/request-budgets.ts";
import type { Catalog } from "../providers/catalog.ts";
import type { ConsumerOpening } from "../providers/contract/consumer.ts";
import type { ProviderLog } from "../providers/contract/context.ts";
import type { Egress } from "../providers/contract/egress.ts";

/** What `rekey doctor` is told of the worker itself. */
export interface AboutWorker {
  readonly release: string;
  /** The release of the Temporal server. */
  temporal(): Promise<string>;
}

/** All that the steps need of the world. Made once per worker. */
export interface StepDeps {
  readonly ledger: Ledger;
  readonly custody: RoutedCustody;
  readonly fingerprints: Fingerprints;
  readonly scrubber: Scrubber;
  readonly catalog: Catalog;
  readonly egress: Egress;
  /** What this worker's settings let consumers touch. */
  readonly allowed: ConsumerOpening<unknown>["allowed"];
  readonly observationKeys: ObservationKeys;
  readonly log: ProviderLog;
  /** What steps ask of the ledger and tell it: many of one time in one transaction. */
  readonly books: (isUrgent: boolean) => StepBooks;
  /** What in this worker lets emergencies pass whose leak is still let in. */
  readonly precedence: Precedence;
  readonly seenAccepted: SeenAccepted;
  /** How often issuers and consumers are called, for the metrics. */
  readonly calls: CallCounts;
  /** How many requests connections with a limit let go, for all workers together. */
  readonly budgets: RequestBudgets;
  readonly about: AboutWorker;
  /** Signs the heads of the audit trail, and receipts. Only workers hold it. */
  readonly signingKey: { readonly id: string; readonly privateKey: KeyObject };
}
