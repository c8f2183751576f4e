import { newId } from "../ledger/new-id.ts";
import { storePolicy } from "../ledger/registry.ts";
import { changesBetween } from "./changes.ts";
import type { ManifestDocument } from "./documents.ts";
import { issuesOf, teamId, type Planned, type Planning } from "./planning.ts";
import { givenPolicy, policyTrouble, showPolicy } from "./policy.ts";
import { refKey } from "./registry-snapshot.ts";
import { refOf } from "./read-manifests.ts";
import type { ManifestOf } from "./schemas.ts";

export function planPolicy(
  { snapshot }: Planning,
  manifest: ManifestOf<"Policy">,
  document: ManifestDocument,
): Planned {
  const { metadata, spec } = manifest;
  const issues = issuesOf(document);
  const team = teamId(snapshot, metadata.team, issues);
  const policy = givenPolicy(spec);
  const trouble = policyTrouble([policy]);
  if (trouble !== undefined) issues.add(["spec"], `can never run: ${trouble}.`);
  if (issues.all.length > 0) return { issues: issues.all };
  const key = refKey(metadata);
  const existing = snapshot.policies.get(key);
  const { name } = metadata;
  const row = { id: existing?.id ?? newId("policy"), team: metadata.team, name, policy };
  const usedBy = existing?.usedBy ?? [];
  const changes = changesBetween(existing && { spec: showPolicy(existing.policy) }, { spec: showPolicy(row.policy) });
  snapshot.policies.set(key, { ...row, usedBy });
  // Those that come later in the same files are ruled by it as it will be.
  for (const [ref, credential] of snapshot.credentials)
    if (credential.policyRef === key) snapshot.credentials.set(ref, { ...credential, policy: row.policy });
  return {
    id: row.id,
    kind: "Policy",
    ref: refOf(manifest),
    action: existing === undefined ? "create" : changes.length > 0 ? "change" : "unchanged",
    changes,
    notes: changes.length > 0 ? notesOf(usedBy) : [],
    store: (trx, by) => storePolicy(trx, { ...row, teamId: team }, by),
  };
}

const mostNamed = 20;

function notesOf(usedBy: readonly string[]): readonly string[] {
  if (usedBy.length === 0) return [];
  const more = usedBy.length > mostNamed ? ` and ${usedBy.length - mostNamed} more` : "";
  return [
    `Rules ${usedBy.slice(0, mostNamed).join(", ")}${more}. For an open rotation what became stricter counts at once, all else from the next one on.`,
  ];
}
