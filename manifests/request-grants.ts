import { OperatorNeededError } from "../domain/errors.ts";
import type { Scope } from "../domain/scope.ts";
import { transact, type Ledger } from "../ledger/database.ts";
import { countPending, storeGrant } from "../ledger/grants.ts";
import { lockRegistry } from "../ledger/registry.ts";
import { readTeamName } from "../ledger/tokens.ts";
import type { ManifestFile, ManifestIssue } from "./documents.ts";
import type { PlanDeps } from "./plan-all.ts";
import { planGrants, type PlannedGrant } from "./plan-grants.ts";
import { readManifests } from "./read-manifests.ts";
import type { AskingTeam, Transaction } from "./registry-snapshot.ts";

/** So many requests of one team may wait at once: an owner has to be able to read them. */
const mostPending = 200;

const tooMany = `${mostPending} requests of the team wait already. Have them answered, or withdraw some: rekey grant list`;

export interface RegisterRequest {
  readonly files: readonly ManifestFile[];
  readonly scope: Scope;
  readonly actor: string;
  /** Only what would be asked for is wanted. */
  readonly dryRun: boolean;
}

export interface Requested extends Pick<PlannedGrant, "item" | "content" | "digest"> {
  /** Null: nothing changes, or it is a dry run. */
  readonly grant: { readonly id: string; readonly isNew: boolean } | null;
}

export type RegisterAnswer =
  | { readonly outcome: "requested"; readonly requested: readonly Requested[] }
  | { readonly outcome: "invalid"; readonly issues: readonly ManifestIssue[] };

type RegisterDeps = PlanDeps & { readonly ledger: Ledger };

/** Plans consumers as `apply` does, and stores each that is new or changed as what its credential's owner has to approve. */
export async function requestGrants(
  { ledger, ...deps }: RegisterDeps,
  request: RegisterRequest,
): Promise<RegisterAnswer> {
  const { files, scope, actor, dryRun } = request;
  const read = readManifests(files);
  if (read.issues.length > 0) return { outcome: "invalid", issues: read.issues };
  return transact(ledger, async (trx): Promise<RegisterAnswer> => {
    await lockRegistry(trx);
    const asking = await askingTeam(trx, scope);
    const planned = await planGrants(trx, deps, read.manifests, { files, asking });
    if ("issues" in planned) return { outcome: "invalid", issues: planned.issues };
    const requested: Requested[] = [];
    for (const { item, row, content, digest, manifest, teamId } of planned.grants) {
      if (item.action === "unchanged" || dryRun) {
        requested.push({ item, content, digest, grant: null });
        continue;
      }
      if ((await countPending(trx, teamId)) >= mostPending) throw new OperatorNeededError("request_invalid", tooMany);
      const grant = await storeGrant(trx, {
        ...{ credentialId: row.credentialId, teamId, consumer: row.name, manifest, content, digest, actor },
        byTeam: asking !== undefined,
        // Of such a kind a connection has said yes to this team and place; the others nobody has measured out.
        isPlaceAllowed: row.connectionId !== null,
      });
      requested.push({ item, content, digest, grant });
    }
    return { outcome: "requested", requested };
  });
}

async function askingTeam(trx: Transaction, scope: Scope): Promise<AskingTeam | undefined> {
  if (scope === "everything") return undefined;
  return { id: scope.teamId, name: (await readTeamName(trx, scope.teamId)) ?? "" };
}
