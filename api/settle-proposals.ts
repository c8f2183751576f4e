import { closeProposals, readOpenProposals, type OpenProposal } from "../ledger/proposals.ts";
import type { Catalog } from "../providers/catalog.ts";
import type { ApiDeps } from "./deps.ts";

/** At one look, one after the other until all have been looked at: most may stay open for good. */
const atOnce = 1_000;

/**
 * Closes the proposals of whoever is a registered consumer by now. It is asked after each registration and by the
 * watcher besides, so that no way to register has to think of it.
 */
export async function settleProposals(deps: Pick<ApiDeps, "ledger" | "catalog">): Promise<void> {
  let after = "";
  for (;;) {
    const open = await readOpenProposals(deps.ledger.db, { after, atMost: atOnce });
    await closeProposals(deps.ledger, explained(deps.catalog, open));
    const last = open.at(-1);
    if (last === undefined || open.length < atOnce) return;
    after = last.id;
  }
}

const explained = (catalog: Catalog, open: readonly OpenProposal[]) =>
  open.flatMap((proposal) => {
    const consumer = proposal.consumers.find(({ collectors }) => explains(catalog, collectors, proposal));
    return consumer === undefined ? [] : [{ id: proposal.id, consumerId: consumer.id }];
  });

function explains(
  { collectors }: Catalog,
  given: Readonly<Record<string, unknown>>,
  { principal, database, address, applicationName }: OpenProposal,
): boolean {
  // A consumer is told by where it connects from and to, never by when.
  const session = { principal, database, address, applicationName, startedAt: new Date(0).toISOString() };
  return Object.entries(given).some(([kind, config]) => {
    const definition = collectors[kind];
    const read = definition?.configSchema.safeParse(config);
    return read?.success === true && definition?.explains?.(read.data, session) === true;
  });
}
