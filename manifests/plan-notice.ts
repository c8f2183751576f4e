import { noticeEventNames } from "../domain/notice.ts";
import { newId } from "../ledger/new-id.ts";
import {
  secretPlace,
  storeNotice,
  storeNoticeSecret,
  type NoticeRow,
  type NoticeSettings,
} from "../ledger/notice-rows.ts";
import { noticeSecrets } from "../providers/catalog.ts";
import { changesBetween } from "./changes.ts";
import type { ManifestDocument } from "./documents.ts";
import { showDuration } from "./duration.ts";
import { usualBothMs } from "./notice-fields.ts";
import { issuesOf, teamId, type GivenSecret, type Issues, type Planned, type Planning } from "./planning.ts";
import { refKey } from "./registry-snapshot.ts";
import { refOf } from "./read-manifests.ts";
import type { ManifestOf } from "./schemas.ts";

export function planNotice(planning: Planning, manifest: ManifestOf<"Notice">, document: ManifestDocument): Planned {
  const { metadata } = manifest;
  const issues = issuesOf(document);
  const team = teamId(planning.snapshot, metadata.team, issues);
  const existing = planning.snapshot.notices.get(refKey(metadata));
  const row = asRow(manifest, existing);
  refuseAddress(row.settings, issues);
  const isElsewhere = existing !== undefined && changesBetween(existing.settings, row.settings).length > 0;
  const secret = secretToGive(planning, manifest, document, { existing, isElsewhere, issues });
  if (issues.all.length > 0) return { issues: issues.all };

  const changes = changesBetween(existing && specOf(existing), specOf(row));
  // Where the address is the secret there is nothing to sign twice with.
  const keepsFormer = !isElsewhere && row.settings.format !== "slack" && row.signBothForMs > 0;
  planning.snapshot.notices.set(refKey(metadata), row);
  return {
    id: row.id,
    kind: "Notice",
    ref: refOf(manifest),
    action: existing === undefined ? "create" : changes.length > 0 || secret !== undefined ? "change" : "unchanged",
    changes,
    notes: notesOf(row, { existing, isElsewhere, secret, keepsFormer }),
    async store(trx, by) {
      if (existing === undefined || changes.length > 0) await storeNotice(trx, { ...row, teamId: team }, by);
      if (secret === undefined) return;
      const held = { row: newId("custodyValue"), revision: row.secretRevision + 1 };
      const fields = noticeSecrets[row.settings.format];
      await planning.secrets.put(secretPlace(row, held), fields, secret);
      const fingerprint = planning.secrets.fingerprint(fields, secret);
      await storeNoticeSecret(trx, { ...held, noticeId: row.id, fingerprint, keepsFormer }, by.actor);
    },
    async tidy() {
      if (existing === undefined || (secret === undefined && !isElsewhere)) return;
      // Of three secrets the oldest goes: two sign.
      for (const held of keepsFormer ? [existing.former] : [existing.secret, existing.former])
        if (held !== null) await planning.secrets.forget(secretPlace(existing, held));
    },
  };
}

function asRow({ metadata, spec }: ManifestOf<"Notice">, existing: NoticeRow | undefined): NoticeRow {
  const { format, url, ca, events, of: whose = "own", signBothFor = usualBothMs } = spec;
  return {
    id: existing?.id ?? newId("notice"),
    team: metadata.team,
    name: metadata.name,
    settings: { format, ...(url === undefined ? {} : { url }), ...(ca === undefined ? {} : { ca }) },
    // In the order of the vocabulary, so that the same ones are the same.
    events: noticeEventNames.filter((event) => events === undefined || events.includes(event)),
    isOfAll: whose === "all",
    signBothForMs: signBothFor,
    secret: existing?.secret ?? null,
    secretRevision: existing?.secretRevision ?? 0,
    secretFingerprint: existing?.secretFingerprint ?? null,
    former: existing?.former ?? null,
  };
}

const specOf = ({ settings, events, isOfAll, signBothForMs }: NoticeRow) => ({
  spec: {
    ...settings,
    events: events.length === noticeEventNames.length ? "all" : events.join(", "),
    of: isOfAll ? "all" : "own",
    signBothFor: showDuration(signBothForMs),
  },
});

/** Where the address is the secret it may not stand in a manifest. */
function refuseAddress({ format, url }: NoticeSettings, issues: Issues): void {
  if (format === "slack" && url !== undefined)
    issues.add(
      ["spec", "url"],
      "must not stand here: whoever has the address of such an endpoint may post to it. Remove it, give it by secretFrom, and make another one if the file was shared.",
    );
  if (format !== "slack" && url === undefined) issues.add(["spec", "url"], "is missing: write where notices are sent.");
}

interface SecretQuestion {
  readonly existing: NoticeRow | undefined;
  readonly isElsewhere: boolean;
  readonly issues: Issues;
}

/** The secret that custody has to take; undefined when it holds the same one already, or none is given. */
function secretToGive(
  { secrets, givenFor }: Planning,
  { spec }: ManifestOf<"Notice">,
  document: ManifestDocument,
  { existing, isElsewhere, issues }: SecretQuestion,
): GivenSecret | undefined {
  const fields = noticeSecrets[spec.format];
  const given = givenFor(document);
  if (given === undefined) {
    if (spec.secretFrom !== undefined)
      issues.add(
        ["spec", "secretFrom"],
        "came without its secret; apply with `rekey apply`, which reads and sends it.",
      );
    else if (isElsewhere && existing?.secret !== null)
      issues.add(
        ["spec"],
        "changes where notices are sent, so the stored secret is not used any more. Give it again: add secretFrom.",
      );
    return undefined;
  }
  const refusal = secrets.refusal(fields, given);
  if (refusal !== undefined) {
    issues.add(["spec", "secretFrom"], refusal);
    return undefined;
  }
  const stored = isElsewhere || existing?.secret === null ? null : (existing?.secretFingerprint ?? null);
  return stored !== null && secrets.isSame(fields, given, stored) ? undefined : given;
}

interface NoteFacts {
  readonly existing: NoticeRow | undefined;
  readonly isElsewhere: boolean;
  readonly secret: GivenSecret | undefined;
  readonly keepsFormer: boolean;
}

function notesOf(row: NoticeRow, { existing, isElsewhere, secret, keepsFormer }: NoteFacts): string[] {
  const whose = row.isOfAll && existing?.isOfAll !== true ? ["It hears of every team, with names."] : [];
  if (secret === undefined)
    return row.secret === null
      ? [...whose, "It has no secret yet; it is told nothing until you add secretFrom."]
      : whose;
  if (existing === undefined || existing.secret === null || isElsewhere)
    return [...whose, "Its secret goes into custody."];
  return [
    ...whose,
    keepsFormer
      ? `Its secret in custody is replaced. The former one signs as well for ${showDuration(row.signBothForMs)}.`
      : "Its secret in custody is replaced.",
  ];
}
