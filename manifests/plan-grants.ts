import type { ConsumerRow } from "../ledger/registry-views.ts";
import type { ManifestIssue } from "./documents.ts";
import { contentOf, digestOf, type GrantContent } from "./grant-content.ts";
import { planAll, type PlanDeps, type PlannedFile } from "./plan-all.ts";
import type { PlannedItem, Planning } from "./planning.ts";
import type { ReadManifest } from "./read-manifests.ts";
import type { AskingTeam, Transaction } from "./registry-snapshot.ts";
import type { ManifestOf } from "./schemas.ts";

/** A consumer as somebody asks for it, planned as `apply` plans one. */
export interface PlannedGrant {
  readonly item: PlannedItem;
  readonly row: ConsumerRow;
  readonly teamId: string;
  readonly manifest: ManifestOf<"Consumer">;
  readonly content: GrantContent;
  readonly digest: string;
}

export type PlannedGrants =
  | { readonly grants: readonly PlannedGrant[]; readonly planning: Planning }
  | { readonly issues: readonly ManifestIssue[] };

/** The team is the token's, whatever the manifest says: that is asked before anything that others have is looked at. */
function strangerIssues(manifests: readonly ReadManifest[], asking: AskingTeam | undefined): readonly ManifestIssue[] {
  return manifests.flatMap(({ manifest, document }) => {
    if (manifest.kind !== "Consumer")
      return [document.issue(["kind"], `must be Consumer here. An operator registers the others: rekey apply -f FILE`)];
    if (asking === undefined || manifest.metadata.team === asking.name) return [];
    return [document.issue(["metadata", "team"], `must be ${asking.name}: a team's token asks for its own consumers.`)];
  });
}

export async function planGrants(
  trx: Transaction,
  deps: PlanDeps,
  manifests: readonly ReadManifest[],
  by: { readonly files: readonly PlannedFile[]; readonly asking: AskingTeam | undefined },
): Promise<PlannedGrants> {
  const strangers = strangerIssues(manifests, by.asking);
  if (strangers.length > 0) return { issues: strangers };
  const planned = await planAll(trx, deps, manifests, by);
  if ("issues" in planned) return planned;
  const { items, planning } = planned;
  const rows = new Map([...planning.snapshot.consumers.values()].map((row) => [row.id, row]));
  const refs = new Map([...planning.snapshot.credentials].map(([ref, { id }]) => [id, ref]));
  const grants = items.flatMap((item, at): PlannedGrant[] => {
    const row = rows.get(item.id);
    const manifest = manifests[at]?.manifest;
    if (row === undefined || manifest?.kind !== "Consumer") return [];
    const content = contentOf(item, row, refs.get(row.credentialId) ?? "");
    const teamId = planning.snapshot.teams.get(row.team)?.id ?? "";
    return [{ item, row, teamId, manifest, content, digest: digestOf(content) }];
  });
  return { grants, planning };
}
