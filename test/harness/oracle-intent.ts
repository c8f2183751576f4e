import { withLedger, type AskLedger } from "./oracle-books.ts";
import { restingOf } from "./oracle-custody.ts";
import type { Registered } from "./registered.ts";
import type { World } from "./world.ts";

/** A step that was interrupted after its intent. */
export interface Interrupted {
  readonly world: World;
  readonly orders: Registered;
  readonly rotationId: string;
  /** The operation's step; undefined for one that has no intent. */
  readonly operation: string | undefined;
}

/**
 * What lies in the ledger while nobody is at work, right after the crash: the intent of whatever may have been done
 * outside, and the value that the issuer has been given. Without both, nobody could finish or undo it.
 */
export async function missingIntent(of: Interrupted): Promise<readonly string[]> {
  const { world, orders, rotationId, operation } = of;
  return withLedger(world.ledgerUrl, async (ledger) => {
    const breaches = [...(await missingOperation(ledger, rotationId, operation))];
    const found = await restingOf(ledger, world.elsewhere, orders.credentialId);
    if (!found.some(({ number, state }) => number === 2 && state === "kept") && (await isCandidateInForce(of)))
      breaches.push("invariant 3: the issuer has a value that is not in custody.");
    return breaches;
  });
}

/** Undefined operation: a step that has no intent. */
export async function missingOperation(
  ledger: AskLedger,
  rotationId: string,
  operation: string | undefined,
): Promise<readonly string[]> {
  if (operation === undefined) return [];
  const rows = await ledger("SELECT 1 FROM operations WHERE rotation_id = $1 AND step = $2", [rotationId, operation]);
  return rows.length > 0 ? [] : [`invariant 3: the crash left no intent of ${operation} behind.`];
}

/** By the mark in the comment of the login that takes version 2. */
async function isCandidateInForce({ world, orders }: Interrupted): Promise<boolean> {
  const [row] = await world.issuer.ask(
    `SELECT rolcanlogin AND shobj_description(oid, 'pg_authid') LIKE '%"version":2%' AS is FROM pg_authid
     WHERE rolname = '${orders.logins.at(-1)}'`,
  );
  return row?.["is"] === true;
}
