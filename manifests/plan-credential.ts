import { newId } from "../ledger/new-id.ts";
import { storeCredential } from "../ledger/registry.ts";
import type { ConnectionRow, CredentialRow } from "../ledger/registry-views.ts";
import { adoptHint } from "./adopt-command.ts";
import { changesBetween, type FieldChange } from "./changes.ts";
import { checkFields } from "./check-fields.ts";
import type { ManifestDocument } from "./documents.ts";
import { custodyOf, sayCustody } from "./credential-custody.ts";
import { findConnection } from "./find-connection.ts";
import { inventoryOf } from "./inventory.ts";
import { issuesOf, placeIds, referred, type Issues, type Planned, type Planning } from "./planning.ts";
import { givenPolicy, policyLine, policyTrouble, showPolicy } from "./policy.ts";
import { refKey, resolveRef } from "./registry-snapshot.ts";
import { refOf } from "./read-manifests.ts";
import type { ManifestOf } from "./schemas.ts";

export function planCredential(
  planning: Planning,
  manifest: ManifestOf<"Credential">,
  document: ManifestDocument,
): Planned {
  const { metadata, spec } = manifest;
  const issues = issuesOf(document);
  const place = placeIds(planning, metadata, issues);
  const connection = findConnection(planning, { team: metadata.team, reference: spec.connection }, issues);
  const ruling = rulingPolicy(planning, manifest, issues);
  refuseUnknownOwners(planning, manifest, issues);
  refuseNever(planning, manifest, ruling, issues);
  const existing = planning.snapshot.credentials.get(refKey(metadata));
  const custody = custodyOf(planning, manifest, existing, issues);
  if (connection === undefined) return { issues: issues.all };
  const definition = planning.catalog.issuers[connection.kind];
  if (definition === undefined) {
    const kinds = Object.keys(planning.catalog.issuers).join(", ");
    issues.add(
      ["spec", "connection"],
      `is a connection of kind ${connection.kind}, where no credential can be rotated. Name one of kind ${kinds}.`,
    );
    return { issues: issues.all };
  }
  refuseMisfit(manifest, connection, issues);
  const config = checkFields(document, ["spec", "config"], spec.config, definition.configSchema);
  if (!config.ok) return { issues: [...issues.all, ...config.issues] };

  const row: CredentialRow = {
    id: existing?.id ?? newId("credential"),
    team: metadata.team,
    environment: metadata.environment,
    name: metadata.name,
    connectionId: connection.id,
    connection: refKey(connection),
    kind: connection.kind,
    config: config.value as CredentialRow["config"],
    principals: definition.principalsOf(config.value),
    policy: ruling.policy,
    policyRef: ruling.ref,
    inventory: inventoryOf(spec),
    custody,
    hasVersions: existing?.hasVersions ?? false,
    openRotation: existing?.openRotation ?? null,
    openPhase: existing?.openPhase ?? null,
  };
  refuseClaimed(planning, row, connection, issues);
  const changes = changesBetween(existing && specOf(existing), specOf(row));
  refuseUntimely(existing, row, changes, issues);
  if (issues.all.length > 0) return { issues: issues.all };

  planning.snapshot.credentials.set(refKey(metadata), row);
  claim(planning, row, connection);
  const order = definition.orderOf(config.value);
  return {
    id: row.id,
    kind: "Credential",
    ref: refOf(manifest),
    action: existing === undefined ? "create" : changes.length > 0 ? "change" : "unchanged",
    changes,
    notes: notesOf(definition, row, existing, changes),
    store: (trx, by) => storeCredential(trx, { ...row, ...place, order, policyId: ruling.id }, by),
  };
}

const specOf = ({ connection, config, policy, policyRef, inventory, custody }: CredentialRow) => ({
  // The policy's name beside what it says, so that a plan shows what really changes.
  [policyField]: policyRef,
  spec: { connection, config, policy: showPolicy(policy), ...inventory, ...sayCustody(custody) },
});

const policyField = "spec.policy";

interface Ruling {
  readonly policy: CredentialRow["policy"];
  readonly id: string | null;
  /** `team/name` */
  readonly ref: string | null;
}

/** What the manifest says itself, or the policy that it names. */
function rulingPolicy(planning: Planning, { metadata, spec }: ManifestOf<"Credential">, issues: Issues): Ruling {
  if (typeof spec.policy !== "string") return { policy: givenPolicy(spec.policy ?? {}), id: null, ref: null };
  const ref = refKey(resolveRef(spec.policy, metadata.team));
  const found = referred(planning, "Policy", planning.snapshot.policies, ref, () =>
    issues.add(["spec", "policy"], "names no policy that exists; add a Policy manifest, or write team/name."),
  );
  return { policy: found?.policy ?? {}, id: found?.id ?? null, ref };
}

/** What environment, team and credential say together may never run, though each could. */
function refuseNever(
  { snapshot }: Planning,
  { metadata }: ManifestOf<"Credential">,
  ruling: Ruling,
  issues: Issues,
): void {
  const environment = snapshot.environments.get(metadata.environment)?.policy ?? {};
  const team = snapshot.teams.get(metadata.team)?.policy ?? {};
  const trouble = policyTrouble([ruling.policy, team, environment]);
  if (trouble !== undefined)
    issues.add(["spec", "policy"], `can never run with what its team and environment say: ${trouble}.`);
}

function refuseUnknownOwners({ snapshot }: Planning, { spec }: ManifestOf<"Credential">, issues: Issues): void {
  for (const field of ["owner", "backupOwner"] as const) {
    const team = spec[field];
    if (team !== undefined && !snapshot.teams.has(team))
      issues.add(["spec", field], "names no team that exists; add a Team manifest for it.");
  }
}

function refuseMisfit({ metadata, spec }: ManifestOf<"Credential">, connection: ConnectionRow, issues: Issues): void {
  if (spec.issuer !== undefined && spec.issuer !== connection.kind)
    issues.add(["spec", "issuer"], `must be ${connection.kind}, as its connection is; or leave it out.`);
  if (connection.environment !== metadata.environment)
    issues.add(
      ["metadata", "environment"],
      `must be ${connection.environment}, as its connection is; or name a connection of this environment.`,
    );
}

/** Invariant 19, and one manager for one login. */
function refuseClaimed({ snapshot }: Planning, row: CredentialRow, connection: ConnectionRow, issues: Issues): void {
  const repeated = row.principals.filter((principal, at) => row.principals.indexOf(principal) !== at);
  if (repeated.length > 0) issues.add(["spec", "config"], `names the login ${repeated[0]} twice.`);
  for (const claimed of snapshot.claims) {
    const isSameServer =
      claimed.connectionId === connection.id || (claimed.identity !== null && claimed.identity === connection.identity);
    if (!isSameServer || !row.principals.includes(claimed.principal)) continue;
    if (claimed.credential === null)
      issues.add(
        ["spec", "config"],
        `names the login ${claimed.principal}, which connection ${claimed.connection} itself logs in with. It cannot be rotated by rekey; give the connection a login of its own.`,
      );
    else if (claimed.credential !== refKey(row))
      issues.add(
        ["spec", "config"],
        `names the login ${claimed.principal}, which credential ${claimed.credential} has already. One login belongs to one credential.`,
      );
  }
}

function refuseUntimely(
  existing: CredentialRow | undefined,
  row: CredentialRow,
  changes: readonly FieldChange[],
  issues: Issues,
): void {
  if (existing === undefined) return;
  if (existing.environment !== row.environment)
    issues.add(
      ["metadata", "environment"],
      `is ${existing.environment} and cannot change; make a new credential under another name.`,
    );
  if (existing.connectionId !== row.connectionId && existing.hasVersions)
    issues.add(
      ["spec", "connection"],
      "cannot change once the credential has a version; make a new credential under another name.",
    );
  const isDeeper = changes.some(({ field }) => field === "spec.connection" || field.startsWith("spec.config."));
  if (existing.openRotation !== null && isDeeper)
    issues.add(
      ["spec", "config"],
      `cannot change while rotation ${existing.openRotation} is open. Wait until it is closed, or \`rekey rotation abort ${existing.openRotation}\`.`,
    );
}

function claim({ snapshot }: Planning, row: CredentialRow, connection: ConnectionRow): void {
  const others = snapshot.claims.filter(({ credential }) => credential !== refKey(row));
  const own = row.principals.map((principal) => ({
    connectionId: connection.id,
    identity: connection.identity,
    principal,
    credential: refKey(row),
    connection: refKey(connection),
  }));
  snapshot.claims.splice(0, snapshot.claims.length, ...others, ...own);
}

function notesOf(
  definition: Planning["catalog"]["issuers"][string],
  row: CredentialRow,
  existing: CredentialRow | undefined,
  changes: readonly FieldChange[],
): readonly string[] {
  const ruled = row.policyRef !== null && row.policyRef !== existing?.policyRef ? [ruledBy(row)] : [];
  if (existing === undefined)
    return [...ruled, `Then give it the value it has today: ${adoptHint(definition, refKey(row), row.principals)}`];
  return existing.openRotation !== null && changes.some(({ field }) => field.startsWith(`${policyField}.`))
    ? [
        ...ruled,
        `For the open rotation ${existing.openRotation} what became stricter counts at once, all else from the next one on.`,
      ]
    : ruled;
}

const ruledBy = ({ policyRef, policy }: CredentialRow): string =>
  `Ruled by policy ${policyRef}: ${policyLine(policy)}.`;
