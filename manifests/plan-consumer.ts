import { bestWithoutChange, meets, type Strength } from "../domain/evidence.ts";
import { nearestWord } from "../domain/nearest-word.ts";
import { newId } from "../ledger/new-id.ts";
import { storeConsumer } from "../ledger/registry.ts";
import type { ConsumerRow, CredentialRow } from "../ledger/registry-views.ts";
import { changesBetween, type FieldChange } from "./changes.ts";
import { checkFields } from "./check-fields.ts";
import type { ManifestDocument } from "./documents.ts";
import { connectionOfConsumer } from "./find-connection.ts";
import { definitionOf, issuesOf, referred, teamId, type Issues, type Planned, type Planning } from "./planning.ts";
import { consumerKey, refKey, resolveRef } from "./registry-snapshot.ts";
import { readEvidence, withInstances } from "./consumer-evidence.ts";
import { refOf } from "./read-manifests.ts";
import type { ManifestOf } from "./schemas.ts";

export function planConsumer(
  planning: Planning,
  manifest: ManifestOf<"Consumer">,
  document: ManifestDocument,
): Planned {
  const { metadata, spec } = manifest;
  const issues = issuesOf(document);
  const team = teamId(planning.snapshot, metadata.team, issues);
  const credentialKey = refKey(resolveRef(spec.credential, metadata.team));
  const { credentials, credentialNames } = planning.snapshot;
  const credential = referred(planning, "Credential", credentials, credentialKey, () => {
    const nearest = nearestWord(credentialKey, [...credentials.keys(), ...credentialNames]);
    const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
    const text = `names no credential that exists; add a Credential manifest, or write team/name.${hint}`;
    issues.add(["spec", "credential"], text);
  });
  if (credential !== undefined && metadata.environment !== undefined && metadata.environment !== credential.environment)
    issues.add(
      ["metadata", "environment"],
      `must be ${credential.environment}, as its credential is; or leave it out.`,
    );
  const definition = definitionOf(planning.catalog.consumers, spec.kind, ["spec", "kind"], issues);
  const given = readEvidence(planning, spec.evidence ?? {}, document, issues);
  if (definition === undefined) return { issues: issues.all };
  const config = checkFields(document, ["spec", "config"], spec.config, definition.configSchema);
  if (!config.ok) return { issues: [...issues.all, ...config.issues] };
  if (credential === undefined) return { issues: issues.all };
  refuseUnknownFields(planning, credential, definition.fieldsOf(config.value), issues);
  const showsInstances = definition.showsInstances?.(config.value) ?? false;
  const evidence = withInstances(planning, { kind: spec.kind, showsInstances }, given, issues);
  if (definition.isNotice && Object.keys(evidence.collectors).length === 0)
    issues.add(
      ["spec", "evidence"],
      `is missing. A ${spec.kind} is only told of versions and shows nothing itself: say how the consumer is seen to run on one, such as by sessions or challenge.`,
    );
  const over = connectionOfConsumer(planning, manifest, { definition, credential, config: config.value }, issues);
  // One that a later look at the same files may still mend, or whose mistake is said there.
  if (definition.connectionKind !== undefined && over === undefined) return { issues: issues.all };
  const { connection, settings } = over ?? {};
  if (issues.all.length > 0) return { issues: issues.all };

  const key = consumerKey(credential.id, metadata.name);
  const existing = planning.snapshot.consumers.get(key);
  const row: ConsumerRow = {
    id: existing?.id ?? newId("consumer"),
    credentialId: credential.id,
    credential: refKey(credential),
    team: metadata.team,
    name: metadata.name,
    kind: spec.kind,
    connectionId: connection?.id ?? null,
    connection: connection === undefined ? null : refKey(connection),
    target: definition.targetOf(config.value, settings),
    config: config.value as ConsumerRow["config"],
    evidence,
    touchedBy: existing?.touchedBy ?? null,
  };
  if (existing !== undefined && existing.team !== row.team)
    return {
      issues: [document.issue(["metadata", "team"], `is ${existing.team} and cannot change; use another name.`)],
    };
  const changes = changesBetween(existing && specOf(existing), specOf(row));
  refuseUntimely(existing, changes, issues);
  if (issues.all.length > 0) return { issues: issues.all };
  planning.snapshot.consumers.set(key, row);
  const isTouched = existing === undefined || changes.length > 0;
  if (isTouched) planning.written.push({ row, document });
  return {
    id: row.id,
    kind: "Consumer",
    ref: refOf(manifest),
    action: existing === undefined ? "create" : isTouched ? "change" : "unchanged",
    changes,
    notes: isTouched ? notesOf(planning, credential, row, existing === undefined) : [],
    store: (trx, by) => storeConsumer(trx, { ...row, teamId: team }, by),
  };
}

const specOf = ({ kind, connection, config, evidence }: ConsumerRow) => ({
  spec: { kind, connection, config, evidence: { wanted: evidence.wanted, ...evidence.collectors } },
});

/** Elsewhere, or under other keys, the undo would not find what the rotation has delivered. */
function refuseUntimely(existing: ConsumerRow | undefined, changes: readonly FieldChange[], issues: Issues): void {
  const rotation = existing?.touchedBy ?? null;
  const isDeeper = changes.some(({ field }) => !field.startsWith("spec.evidence."));
  if (rotation === null || !isDeeper) return;
  issues.add(
    ["spec", "config"],
    `cannot change while rotation ${rotation} is open, which has delivered there. Wait until it is closed, or \`rekey rotation abort ${rotation}\` and wait for that.`,
  );
}

/** A consumer can only be given what the issuer's value has. */
function refuseUnknownFields(
  { catalog }: Planning,
  credential: CredentialRow,
  wanted: readonly string[],
  issues: Issues,
): void {
  const known = Object.keys(catalog.issuers[credential.kind]?.fields ?? {});
  for (const field of wanted.filter((one) => !known.includes(one))) {
    const nearest = nearestWord(field, known);
    const hint = nearest === undefined ? "" : ` Did you mean ${nearest}?`;
    issues.add(
      ["spec", "config"],
      `asks for a field that its credential's value does not have. Fields: ${known.join(", ")}.${hint}`,
    );
  }
}

function notesOf(
  { catalog }: Planning,
  credential: CredentialRow,
  row: ConsumerRow,
  isNew: boolean,
): readonly string[] {
  const offers = Object.keys(row.evidence.collectors).flatMap((kind) => catalog.collectors[kind] ?? []);
  const wanted =
    (row.evidence.wanted as Strength | undefined) ?? credential.policy.evidence ?? bestWithoutChange(offers);
  const canGive = [...offers.map(({ strength }) => strength), "delivered" as const];
  const notes = canGive.some((strength) => meets(strength, wanted))
    ? []
    : [
        `It is asked for ${wanted} evidence and has no way to give it: every rotation will wait for a person.${wanted === "acknowledged" ? ` Its team is one: rekey consumer ack ${refKey(row)} --version N` : ""}`,
      ];
  const note = catalog.consumers[row.kind]?.noteOf?.(row.target, refKey(row));
  if (note !== undefined) notes.push(note);
  if (credential.openRotation !== null) notes.push(openNote(credential.openRotation, credential.openPhase, isNew));
  return notes;
}

/** A change must not open the guard of a rotation that began with what was registered before. */
function openNote(rotation: string, phase: string | null, isNew: boolean): string {
  if (isNew) return `The open rotation ${rotation} includes it from now on.`;
  return phase === "reserved"
    ? `The open rotation ${rotation} goes on with it as it is then once you answer its hold with retry; else it will ask you about this change.`
    : `The open rotation ${rotation} includes it as it is then, and will ask you about this change.`;
}
