import { createHash } from "node:crypto";
import canonicalize from "canonicalize";
import { transact, type Ledger } from "../ledger/database.ts";
import { lockRegistry } from "../ledger/registry.ts";
import type { ManifestFile, ManifestIssue } from "./documents.ts";
import { planAll, type PlanDeps } from "./plan-all.ts";
import type { GivenSecret, PlannedItem } from "./planning.ts";
import { readManifests } from "./read-manifests.ts";
import type { Transaction } from "./registry-snapshot.ts";

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

type ApplyDeps = PlanDeps & { readonly ledger: Ledger };

/** Plans the manifests against the ledger and, when the plan is the one that was agreed to, applies all or nothing. */
export async function applyManifests({ ledger, ...deps }: ApplyDeps, request: ApplyRequest): Promise<ApplyAnswer> {
  const read = readManifests(request.files);
  if (read.issues.length > 0) return { outcome: "invalid", issues: read.issues };
  let applied: readonly PlannedItem[] = [];
  const answer = await transact(ledger, async (trx): Promise<ApplyAnswer> => {
    await lockRegistry(trx);
    const planned = await planAll(trx, deps, read.manifests, request);
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
