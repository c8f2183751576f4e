import { newId } from "../ledger/new-id.ts";
import type { EnvironmentRow, TeamRow } from "../ledger/registry-views.ts";
import { storeEnvironment, storeTeam } from "../ledger/registry.ts";
import { changesBetween } from "./changes.ts";
import type { ManifestDocument } from "./documents.ts";
import { issuesOf, type Planned, type Planning } from "./planning.ts";
import { givenPolicy, policyTrouble, showPolicy } from "./policy.ts";
import { refOf } from "./read-manifests.ts";
import type { ManifestOf } from "./schemas.ts";

export function planTeam({ snapshot }: Planning, manifest: ManifestOf<"Team">, document: ManifestDocument): Planned {
  const { name } = manifest.metadata;
  const existing = snapshot.teams.get(name);
  const { contact = "", policy: said = {}, maxConcurrent = null } = manifest.spec ?? {};
  const team: TeamRow = { id: existing?.id ?? newId("team"), name, contact, policy: givenPolicy(said), maxConcurrent };
  const shown = (one: Omit<TeamRow, "id" | "name">) => ({
    spec: { contact: one.contact, policy: showPolicy(one.policy), maxConcurrent: one.maxConcurrent },
  });
  const changes = changesBetween(shown(existing ?? { contact: "", policy: {}, maxConcurrent: null }), shown(team));
  const issues = issuesOf(document);
  const trouble = policyTrouble([team.policy]);
  if (trouble !== undefined) issues.add(["spec", "policy"], `can never run: ${trouble}.`);
  if (issues.all.length > 0) return { issues: issues.all };
  snapshot.teams.set(name, team);
  return {
    id: team.id,
    kind: "Team",
    ref: refOf(manifest),
    action: existing === undefined ? "create" : changes.length > 0 ? "change" : "unchanged",
    changes,
    notes: [],
    store: (trx, by) => storeTeam(trx, team, by),
  };
}

export function planEnvironment(
  { snapshot }: Planning,
  manifest: ManifestOf<"Environment">,
  document: ManifestDocument,
): Planned {
  const { name } = manifest.metadata;
  const existing = snapshot.environments.get(name);
  const policy = givenPolicy(manifest.spec?.policy ?? {});
  const maxConcurrent = manifest.spec?.maxConcurrent ?? null;
  const environment: EnvironmentRow = { id: existing?.id ?? newId("environment"), name, policy, maxConcurrent };
  const shown = (one: Omit<EnvironmentRow, "id" | "name">) => ({
    spec: { policy: showPolicy(one.policy), maxConcurrent: one.maxConcurrent },
  });
  const changes = changesBetween(shown(existing ?? { policy: {}, maxConcurrent: null }), shown(environment));
  const issues = issuesOf(document);
  const trouble = policyTrouble([policy]);
  if (trouble !== undefined) issues.add(["spec", "policy"], `can never run: ${trouble}.`);
  if (issues.all.length > 0) return { issues: issues.all };
  snapshot.environments.set(name, environment);
  return {
    id: environment.id,
    kind: "Environment",
    ref: refOf(manifest),
    action: existing === undefined ? "create" : changes.length > 0 ? "change" : "unchanged",
    changes,
    notes: [],
    store: (trx, by) => storeEnvironment(trx, environment, by),
  };
}
