import { newId } from "../ledger/new-id.ts";
import { record, storeConnection, storeConnectionLimits, storeConnectionSecret } from "../ledger/registry.ts";
import type { ConnectionRow } from "../ledger/registry-views.ts";
import { connectionKindsOf } from "../providers/catalog.ts";
import { changesBetween } from "./changes.ts";
import { checkFields } from "./check-fields.ts";
import type { ManifestDocument } from "./documents.ts";
import {
  definitionOf,
  issuesOf,
  placeIds,
  type GivenSecret,
  type Issues,
  type Planned,
  type Planning,
} from "./planning.ts";
import { notesOfReached } from "./reached-consumers.ts";
import { refKey } from "./registry-snapshot.ts";
import { refOf } from "./read-manifests.ts";
import type { ManifestOf } from "./schemas.ts";

type ConnectionKind = ReturnType<typeof connectionKindsOf>[string];

export function planConnection(
  planning: Planning,
  manifest: ManifestOf<"Connection">,
  document: ManifestDocument,
): Planned {
  const { metadata, spec } = manifest;
  const issues = issuesOf(document);
  const place = placeIds(planning, metadata, issues);
  const definition = definitionOf(connectionKindsOf(planning.catalog), spec.kind, ["spec", "kind"], issues);
  if (definition === undefined) return { issues: issues.all };
  const settings = checkFields(document, ["spec", "config"], spec.config, definition.connectionSchema);
  if (!settings.ok) return { issues: [...issues.all, ...settings.issues] };

  const existing = planning.snapshot.connections.get(refKey(metadata));
  const row = asRow(manifest, existing, definition, settings.value);
  refuseMoves(existing, row, issues);
  refuseManaged(planning, row, issues);
  const notes = notesOfReached(planning, row, issues);
  const changes = changesBetween(existing && specOf(existing), specOf(row));
  const isElsewhere = changes.some(({ field }) => !limitFields.has(field));
  const isVoided = hasSecret(existing) && isElsewhere;
  const secret = secretToGive(planning, manifest, document, { existing, definition, isVoided, issues });
  if (issues.all.length > 0) return { issues: issues.all };

  planning.snapshot.connections.set(refKey(metadata), row);
  claimOwn(planning, row);
  return {
    id: row.id,
    kind: "Connection",
    ref: refOf(manifest),
    action: existing === undefined ? "create" : changes.length > 0 || secret !== undefined ? "change" : "unchanged",
    changes,
    notes: [...notesOf(row, existing, secret), ...notes],
    async store(trx, by) {
      const { id, name, kind, pool } = row;
      if (existing === undefined || isElsewhere)
        await storeConnection(trx, { ...row, ...place, settings: settings.value }, by);
      else if (changes.length > 0) await record(trx, "connection", id, by);
      await storeConnectionLimits(trx, row);
      if (secret === undefined) return;
      const held = { secret_row: newId("custodyValue"), secret_revision: row.secretRevision + 1 };
      const { adminFields } = definition;
      await planning.secrets.put({ id, name, kind, pool, settings: settings.value, ...held }, adminFields, secret);
      const fingerprint = planning.secrets.fingerprint(adminFields, secret);
      const given = { connectionId: id, row: held.secret_row, revision: held.secret_revision, fingerprint };
      await storeConnectionSecret(trx, given, by.actor);
    },
    async tidy() {
      if (secret === undefined || existing === undefined || existing.secretRow === null) return;
      const { id, name, kind, pool, settings: before, secretRow, secretRevision } = existing;
      const held = { id, name, kind, pool, settings: before, secret_row: secretRow, secret_revision: secretRevision };
      await planning.secrets.forget(held);
    },
  };
}

function asRow(
  { metadata, spec }: ManifestOf<"Connection">,
  existing: ConnectionRow | undefined,
  definition: ConnectionKind,
  settings: unknown,
): ConnectionRow {
  return {
    id: existing?.id ?? newId("connection"),
    team: metadata.team,
    environment: metadata.environment,
    name: metadata.name,
    kind: spec.kind,
    pool: spec.pool ?? "default",
    settings: settings as ConnectionRow["settings"],
    adminPrincipal: definition.adminPrincipalOf(settings),
    identity: isSamePlace(existing, settings) ? existing.identity : null,
    secretRow: existing?.secretRow ?? null,
    secretRevision: existing?.secretRevision ?? 0,
    secretFingerprint: existing?.secretFingerprint ?? null,
    maxConcurrent: spec.maxConcurrent ?? null,
    requestsPerSecond: spec.requestsPerSecond ?? null,
  };
}

/** Other settings may lead to another server: what the former one called itself says nothing any more. */
function isSamePlace(existing: ConnectionRow | undefined, settings: unknown): existing is ConnectionRow {
  return existing !== undefined && changesBetween({ settings: existing.settings }, { settings }).length === 0;
}

const hasSecret = (row: ConnectionRow | undefined) => row !== undefined && row.secretRow !== null;

/** They lead nowhere else: the connection's secret stays, and what runs over it goes on. */
const limitFields = new Set(["spec.maxConcurrent", "spec.requestsPerSecond"]);
const specOf = ({ pool, settings, maxConcurrent, requestsPerSecond }: ConnectionRow) => ({
  spec: { pool, config: settings, maxConcurrent, requestsPerSecond },
});

function refuseMoves(existing: ConnectionRow | undefined, row: ConnectionRow, issues: Issues): void {
  if (existing === undefined) return;
  if (existing.kind !== row.kind)
    issues.add(["spec", "kind"], `is ${existing.kind} and cannot change; make a new connection under another name.`);
  if (existing.environment !== row.environment)
    issues.add(
      ["metadata", "environment"],
      `is ${existing.environment} and cannot change; make a new connection under another name.`,
    );
}

/** Invariant 19, from the side of the connection. */
function refuseManaged({ snapshot }: Planning, row: ConnectionRow, issues: Issues): void {
  const managed = snapshot.claims.find(
    ({ connectionId, identity, principal, credential }) =>
      credential !== null &&
      principal === row.adminPrincipal &&
      (connectionId === row.id || (identity !== null && identity === row.identity)),
  );
  if (managed !== undefined)
    issues.add(
      ["spec", "config"],
      `logs in as a login that credential ${managed.credential} rotates. A connection needs a login of its own; make one for it.`,
    );
}

/** From here on the connection's own login counts as claimed, and those over it where it leads now. */
function claimOwn({ snapshot }: Planning, row: ConnectionRow): void {
  const others = snapshot.claims
    .filter((claim) => claim.connectionId !== row.id || claim.credential !== null)
    .map((claim) => (claim.connectionId === row.id ? { ...claim, identity: row.identity } : claim));
  snapshot.claims.splice(0, snapshot.claims.length, ...others, {
    connectionId: row.id,
    identity: row.identity,
    principal: row.adminPrincipal,
    credential: null,
    connection: refKey(row),
  });
}

interface SecretQuestion {
  readonly existing: ConnectionRow | undefined;
  readonly definition: ConnectionKind;
  readonly isVoided: boolean;
  readonly issues: Issues;
}

/** The secret that custody has to take; undefined when it holds the same one already, or none is given. */
function secretToGive(
  { secrets, givenFor }: Planning,
  { spec }: ManifestOf<"Connection">,
  document: ManifestDocument,
  { existing, definition, isVoided, issues }: SecretQuestion,
): GivenSecret | undefined {
  const given = givenFor(document);
  if (given === undefined) {
    if (spec.secretFrom !== undefined)
      issues.add(
        ["spec", "secretFrom"],
        "came without its secret; apply with `rekey apply`, which reads and sends it.",
      );
    else if (isVoided)
      issues.add(
        ["spec", "config"],
        "change where the connection's secret is sent, so the stored one is not used any more. Give it again: add secretFrom.",
      );
    return undefined;
  }
  const refusal = secrets.refusal(definition.adminFields, given);
  if (refusal !== undefined) {
    issues.add(["spec", "secretFrom"], refusal);
    return undefined;
  }
  const stored = isVoided ? null : (existing?.secretFingerprint ?? null);
  return stored !== null && secrets.isSame(definition.adminFields, given, stored) ? undefined : given;
}

function notesOf(row: ConnectionRow, existing: ConnectionRow | undefined, secret: GivenSecret | undefined): string[] {
  if (secret !== undefined)
    return [hasSecret(existing) ? "Its secret in custody is replaced." : "Its secret goes into custody."];
  return row.secretRow === null
    ? ["It has no secret yet; nothing can be rotated over it until you add secretFrom."]
    : [];
}
