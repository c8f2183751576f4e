import type { z } from "zod";
import type { ProviderLog } from "../providers/contract/context.ts";
import type { Egress } from "../providers/contract/egress.ts";
import { awsKind } from "./aws.ts";
import type { Custody } from "./custody.ts";
import { vaultKind } from "./vault.ts";

/** All that a place outside the ledger is opened with. */
export interface CustodyOpening<Settings> {
  /** Its name in `REKEY_CUSTODIES_FILE`, for the texts of its errors. */
  readonly place: string;
  readonly settings: Settings;
  /** The one way out. */
  readonly fetch: Egress;
  readonly log: ProviderLog;
}

/** A kind of store in which values can rest besides the ledger. It is judged by the clauses of `suite.ts`. */
export interface CustodyKind<Settings = unknown> {
  /** Of a place's entry in `REKEY_CUSTODIES_FILE`, without `kind`. Secrets are files that it names. */
  readonly settingsSchema: z.ZodType<Settings>;
  /**
   * Makes no call: API and worker start while the store is away, and it logs in when it is first asked for something.
   * Each call of what it answers comes back within ten seconds.
   */
  open(opening: CustodyOpening<Settings>): Custody;
}

/** Every kind by its name, a line each. */
export const custodyKinds: Readonly<Record<string, CustodyKind>> = {
  aws: awsKind,
  vault: vaultKind,
};
