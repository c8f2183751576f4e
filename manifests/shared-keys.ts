import { findConsumers, type ConsumerRow } from "../ledger/registry-views.ts";
import type { Catalog } from "../providers/catalog.ts";
import type { ManifestDocument, ManifestIssue } from "./documents.ts";
import { refKey, type AskingTeam, type Transaction } from "./registry-snapshot.ts";

/** A consumer that these manifests make or change. */
export interface WrittenConsumer {
  readonly row: ConsumerRow;
  readonly document: ManifestDocument;
}

/** What both would write; undefined where they leave each other alone. */
function sharedBy({ consumers }: Catalog, one: ConsumerRow, other: ConsumerRow): string | undefined {
  const definition = consumers[one.kind];
  if (one.id === other.id || one.target !== other.target || definition === undefined || definition.isNotice)
    return undefined;
  if (definition.sharedKeys === undefined) return "it";
  const [mine, theirs] = [one, other].map(({ config }) => definition.configSchema.parse(config));
  const keys = definition.sharedKeys(mine, theirs);
  return keys.length === 0 ? undefined : keys.join(", ");
}

export interface Sharing {
  readonly row: ConsumerRow;
  readonly other: ConsumerRow;
  /** What both would write. */
  readonly keys: string;
}

/**
 * Two consumers that write one key would each put back what the other has written, whichever came last, and each take the
 * other's value for drift. `asking`: of others than this team's nothing is said.
 */
export async function findSharing(
  trx: Transaction,
  catalog: Catalog,
  rows: readonly ConsumerRow[],
  asking?: AskingTeam,
): Promise<readonly Sharing[]> {
  const known = await findConsumers(trx, { targets: rows.map(({ target }) => target) });
  const told = known.filter(({ team }) => asking === undefined || team === asking.name);
  const others = [...rows, ...told.filter(({ id }) => rows.every((row) => row.id !== id))];
  return rows.flatMap((row) => {
    for (const other of others) {
      const keys = sharedBy(catalog, row, other);
      if (keys !== undefined) return [{ row, other, keys }];
    }
    return [];
  });
}

export async function findSharedKeys(
  trx: Transaction,
  catalog: Catalog,
  written: readonly WrittenConsumer[],
  asking?: AskingTeam,
): Promise<readonly ManifestIssue[]> {
  const rows = written.map(({ row }) => row);
  const found = await findSharing(trx, catalog, rows, asking);
  return found.flatMap(({ row, other, keys }) => {
    const text = `would write ${keys} at ${row.target}, which consumer ${refKey(other)} of credential ${other.credential} writes. Give one of the two another key or place. Where several applications read one value, register one consumer and count the instances of all.`;
    return written.filter((one) => one.row === row).map(({ document }) => document.issue(["spec", "config"], text));
  });
}
