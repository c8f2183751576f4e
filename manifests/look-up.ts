import {
  findConnections,
  findConsumers,
  findEnvironments,
  findPolicies,
  findTeams,
  readCredentials,
} from "../ledger/registry-views.ts";
import { findNotices } from "../ledger/notice-rows.ts";
import { readAllNames, readConsumerName } from "../ledger/registry-list.ts";
import type { Transaction } from "./registry-snapshot.ts";
import type { ManifestKind } from "./schemas.ts";

/** One registered object, as people name it. */
export interface Found {
  readonly kind: ManifestKind;
  readonly id: string;
  readonly named: { readonly team?: string; readonly name: string };
  /** Of a consumer: its credential, without which its name may mean several. */
  readonly of?: { readonly team: string; readonly name: string };
}

/** The consumer of that id, and no other. */
export async function lookUpConsumer(trx: Transaction, id: string): Promise<readonly Found[]> {
  const found = await readConsumerName(trx, id);
  return found === undefined ? [] : [{ kind: "Consumer", id, ...found }];
}

/** Everything of one kind that is registered. */
export async function lookUp(trx: Transaction, kind: ManifestKind): Promise<readonly Found[]> {
  const names = await readAllNames(trx);
  switch (kind) {
    case "Team":
      return (await findTeams(trx, names.teams)).map(({ id, name }) => ({ kind, id, named: { name } }));
    case "Environment":
      return (await findEnvironments(trx, names.environments)).map(({ id, name }) => ({ kind, id, named: { name } }));
    case "Policy":
      return (await findPolicies(trx, names.policies)).map(({ id, ...named }) => ({ kind, id, named }));
    case "Connection":
      return (await findConnections(trx, names.connections)).map(({ id, ...named }) => ({ kind, id, named }));
    case "Credential":
      return (await readCredentials(trx, names.credentials)).map(({ id, ...named }) => ({ kind, id, named }));
    case "Notice":
      return (await findNotices(trx, names.notices)).map(({ id, team, name }) => ({ kind, id, named: { team, name } }));
    case "Consumer": {
      const credentials = new Map((await readCredentials(trx, names.credentials)).map((row) => [row.id, row]));
      const consumers = await findConsumers(trx, { credentials: [...credentials.keys()] });
      return consumers.flatMap(({ id, credentialId, ...named }) => {
        const of = credentials.get(credentialId);
        return of === undefined ? [] : [{ kind, id, named, of }];
      });
    }
  }
}
