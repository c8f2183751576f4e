import type { Scope } from "../domain/scope.ts";
import { findConsumers, type ConsumerRow } from "../ledger/registry-views.ts";
import type { Catalog } from "../providers/catalog.ts";
import { refKey, type Transaction } from "./registry-snapshot.ts";
import { findSharing } from "./shared-keys.ts";

/**
 * What stands in the way of a consumer and is another team's, which the asking team was not told. Whoever approves is: by
 * name, unless it is of a team too, and the other's consumer none that it sees. The grant waits all the same.
 */
export async function findGrantConflicts(
  trx: Transaction,
  catalog: Catalog,
  row: ConsumerRow,
  scope: Scope,
): Promise<string | undefined> {
  const atCredential = await findConsumers(trx, { credentials: [row.credentialId] });
  const namesake = atCredential.find(({ id, name }) => id !== row.id && name === row.name);
  // Who may approve owns the credential, and knows who runs on it.
  if (namesake !== undefined)
    return `The credential has a consumer ${refKey(namesake)} already. Refuse this one, and have it asked for under another name.`;
  const [sharing] = await findSharing(trx, catalog, [row]);
  if (sharing === undefined) return undefined;
  const { keys, other } = sharing;
  const isTold = scope === "everything" || other.credentialId === row.credentialId;
  const who = isTold ? `consumer ${refKey(other)} of credential ${other.credential}` : "somebody else";
  return `It would write ${keys} at ${row.target}, which ${who} writes. Refuse this one, and have it asked for with another key or place.`;
}
