import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { transact, type Ledger } from "../ledger/database.ts";
import { lockRegistry } from "../ledger/registry.ts";
import { inReadingOrder, type ManifestFile, type ManifestIssue } from "./documents.ts";
import { planConnection } from "./plan-connection.ts";
import { metadataOf, withMetadata } from "./object-metadata.ts";
import { planConsumer } from "./plan-consumer.ts";
import { planCredential } from "./plan-credential.ts";
import { planEnvironment, planTeam } from "./plan-places.ts";
import { planNotice } from "./plan-notice.ts";
import { planPolicy } from "./plan-policy.ts";
import type { GivenSecret, Planned, PlannedItem, Planning } from "./planning.ts";
import { readManifests, refOf, type ReadManifest } from "./read-manifests.ts";
import { findSharedKeys } from "./shared-keys.ts";
import { readSnapshot, type Transaction } from "./registry-snapshot.ts";

export interface SentFile extends ManifestFile {
  /** By the document's place in the file, from 0. */
  readonly secrets: Readonly<Record<number, GivenSecret>>;
}

export interface ApplyRequest {
  readonly files: readonly SentFile[];
  readonly actor: string;
  /** Absent: only the plan is wanted. The digest of the plan that a person has said yes to. */
  readonly planDigest?: string | undefined;
}

export interface ApplyPlan {
  readonly items: readonly Omit<PlannedItem, "id" | "store" | "tidy">[];
  /** Names exactly this plan against exactly this ledger. */
  readonly digest: string;
}

export type ApplyAnswer =
  | { readonly outcome: "planned" | "applied"; readonly plan: ApplyPlan }
  | { readonly outcome: "invalid"; readonly issues: readonly ManifestIssue[] }
  /** The ledger is not what it was when the plan was shown: this is the new one. */
  | { readonly outcome: "plan-changed"; readonly plan: ApplyPlan };

type ApplyDeps = Pick<Planning, "catalog" | "secrets" | "custody"> & { readonly ledger: Ledger };

/** Plans the manifests against the ledger and, when the plan is the one that was agreed to, applies all or nothing. */
export async function applyManifests({ ledger, ...deps }: ApplyDeps, request: ApplyRequest): Promise<ApplyAnswer> {
  const read = readManifests(request.files);
  if (read.issues.length > 0) return { outcome: "invalid", issues: read.issues };
  let applied: readonly PlannedItem[] = [];
  const answer = await transact(ledger, async (trx): Promise<ApplyAnswer> => {
    await lockRegistry(trx);
    const planned = await planAll(trx, deps, read.manifests, request.files);
    if ("issues" in planned) return { outcome: "invalid", issues: planned.issues };
    const plan = asPlan(planned.items);
    if (request.planDigest === undefined) return { outcome: "planned", plan };
    if (request.planDigest !== plan.digest) return { outcome: "plan-changed", plan };
    await storeAll(trx, planned.items, request.actor);
    applied = planned.items;
    return { outcome: "applied", plan };
  });
  for (const item of applied) await item.tidy?.();
  return answer;
}

async function planAll(
  trx: Transaction,
  deps: Pick<Planning, "catalog" | "secrets" | "custody">,
  manifests: readonly ReadManifest[],
  files: readonly SentFile[],
): Promise<{ readonly items: readonly PlannedItem[] } | { readonly issues: readonly ManifestIssue[] }> {
  const snapshot = await readSnapshot(
    trx,
    manifests.map(({ manifest }) => manifest),
  );
  const byFile = new Map(files.map((file) => [file.name, file]));
  const broken = new Set<string>();
  const planning: Planning = {
    ...deps,
    snapshot,
    written: [],
    broken,
    givenFor: ({ file, index }) => byFile.get(file)?.secrets[index],
  };
  // In this order, so that what others refer to is known to be broken before they are looked at.
  const planned = manifests.map((one) => {
    const found = planOne(planning, one);
    if (!("issues" in found)) return describe(found, one, planning);
    broken.add(refOf(one.manifest));
    return found;
  });
  const issues = [
    ...planned.flatMap((one) => ("issues" in one ? one.issues : [])),
    ...(await findSharedKeys(trx, deps.catalog, planning.written)),
  ];
  return issues.length > 0
    ? { issues: inReadingOrder(files, issues) }
    : { items: planned.flatMap((one) => ("issues" in one ? [] : [one])) };
}

function planOne(planning: Planning, { manifest, document }: ReadManifest): Planned {
  switch (manifest.kind) {
    case "Team":
      return planTeam(planning, manifest, document);
    case "Environment":
      return planEnvironment(planning, manifest, document);
    case "Policy":
      return planPolicy(planning, manifest, document);
    case "Connection":
      return planConnection(planning, manifest, document);
    case "Credential":
      return planCredential(planning, manifest, document);
    case "Consumer":
      return planConsumer(planning, manifest, document);
    case "Notice":
      return planNotice(planning, manifest, document);
  }
}

const describe = (item: PlannedItem, { manifest: { metadata } }: ReadManifest, { snapshot }: Planning): PlannedItem =>
  withMetadata(item, snapshot.metadata.get(item.id), metadataOf(metadata));

function asPlan(planned: readonly PlannedItem[]): ApplyPlan {
  const items = planned.map(({ id: _id, store: _store, tidy: _tidy, ...item }) => item);
  const digest = createHash("sha256")
    .update(canonicalize(items) ?? "")
    .digest("hex");
  return { items, digest };
}

async function storeAll(trx: Transaction, items: readonly PlannedItem[], actor: string): Promise<void> {
  for (const item of items) {
    if (item.action === "unchanged") continue;
    const changes = item.changes.map(({ field, from, to }) => ({ field, from, to }));
    await item.store(trx, { actor, isNew: item.action === "create", changes });
  }
}
