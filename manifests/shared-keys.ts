import { findConsumers, type ConsumerRow } from "../ledger/registry-views.ts";
import type { Catalog } from "../providers/catalog.ts";
import type { ManifestDocument, ManifestIssue } from "./documents.ts";
import { refKey, type Transaction } from "./registry-snapshot.ts";

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

/**
 * Two consumers that write one key would each put back what the other has written, whichever came last, and each take the
 * other's value for drift.
 */
export async function findSharedKeys(
  trx: Transaction,
  catalog: Catalog,
  written: readonly WrittenConsumer[],
): Promise<readonly ManifestIssue[]> {
  const rows = written.map(({ row }) => row);
  const known = await findConsumers(trx, { targets: rows.map(({ target }) => target) });
  const others = [...rows, ...known.filter(({ id }) => rows.every((row) => row.id !== id))];
  return written.flatMap(({ row, document }) => {
    for (const other of others) {
      const shared = sharedBy(catalog, row, other);
      if (shared === undefined) continue;
      const text = `would write ${shared} at ${row.target}, which consumer ${refKey(other)} of credential ${other.credential} writes. Give one of the two another key or place. Where several applications read one value, register one consumer and count the instances of all.`;
      return [document.issue(["spec", "config"], text)];
    }
    return [];
  });
}
