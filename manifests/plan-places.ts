import { newId } from "../ledger/new-id.ts";
import { storeEnvironment, storeTeam } from "../ledger/registry.ts";
import { changesBetween } from "./changes.ts";
import type { Planned, Planning } from "./planning.ts";
import { refOf } from "./read-manifests.ts";
import type { ManifestOf } from "./schemas.ts";

export function planTeam({ snapshot }: Planning, manifest: ManifestOf<"Team">): Planned {
  const { name } = manifest.metadata;
  const existing = snapshot.teams.get(name);
  const team = { id: existing?.id ?? newId("team"), name, contact: manifest.spec?.contact ?? "" };
  const changes = changesBetween({ spec: { contact: existing?.contact ?? "" } }, { spec: { contact: team.contact } });
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

export function planEnvironment({ snapshot }: Planning, manifest: ManifestOf<"Environment">): Planned {
  const { name } = manifest.metadata;
  const existing = snapshot.environments.get(name);
  const environment = existing ?? { id: newId("environment"), name };
  snapshot.environments.set(name, environment);
  return {
    id: environment.id,
    kind: "Environment",
    ref: refOf(manifest),
    action: existing === undefined ? "create" : "unchanged",
    changes: [],
    notes: [],
    store: (trx, by) => storeEnvironment(trx, environment, by),
  };
}
