import { admitGrantAnswer, type GrantAnswer } from "../domain/grant.ts";
import type { Scope } from "../domain/scope.ts";
import { transact, type Ledger } from "../ledger/database.ts";
import { decideGrant, lockGrant, type GrantDecision, type LockedGrant } from "../ledger/grants.ts";
import { lockRegistry } from "../ledger/registry.ts";
import { findGrantConflicts } from "./grant-conflicts.ts";
import type { PlanDeps } from "./plan-all.ts";
import { planGrants, type PlannedGrant } from "./plan-grants.ts";
import { readManifests } from "./read-manifests.ts";
import type { Transaction } from "./registry-snapshot.ts";

export interface AnswerRequest {
  readonly id: string;
  readonly answer: GrantAnswer;
  readonly scope: Scope;
  readonly reason: string;
}

export type GrantOutcome =
  | { readonly outcome: "answered" | "outdated"; readonly reason: string }
  | { readonly outcome: "not-found" }
  /** Nothing was changed. */
  | { readonly outcome: "refused"; readonly code: "forbidden" | "grant_refused"; readonly reason: string };

type AnswerDeps = PlanDeps & { readonly ledger: Ledger };

const states = { approve: "approved", refuse: "refused", withdraw: "withdrawn" } as const;

/**
 * Takes a person's answer to a grant. What is approved is planned once more, against the registry as it is in this very
 * transaction, and stored only when that is what was asked for, to the letter.
 */
export function answerGrant({ ledger, ...deps }: AnswerDeps, request: AnswerRequest): Promise<GrantOutcome> {
  const { id, answer, scope, reason } = request;
  return transact(ledger, async (trx): Promise<GrantOutcome> => {
    await lockRegistry(trx);
    const grant = await lockGrant(trx, scope, id);
    if (grant === undefined) return { outcome: "not-found" };
    const admission = admitGrantAnswer(answer, { ...grant, isOfTeam: scope !== "everything" });
    if (!admission.ok) return { outcome: "refused", code: admission.code, reason: admission.reason };
    if (answer.kind === "approve") return approve(trx, deps, grant, request);
    await decideGrant(trx, grant, { state: states[answer.kind], actor: answer.actor, reason });
    return { outcome: "answered", reason };
  });
}

async function approve(
  trx: Transaction,
  deps: PlanDeps,
  grant: LockedGrant,
  { answer: { actor }, scope, reason }: AnswerRequest,
): Promise<GrantOutcome> {
  const decide = (decision: Omit<GrantDecision, "actor">) => decideGrant(trx, grant, { actor, ...decision });
  const planned = await planAgain(trx, deps, grant);
  if ("trouble" in planned) {
    await decide({ state: "outdated", reason: planned.trouble });
    return { outcome: "outdated", reason: planned.trouble };
  }
  const { item, row } = planned;
  const conflict = await findGrantConflicts(trx, deps.catalog, row, scope);
  if (conflict !== undefined) return { outcome: "refused", code: "grant_refused", reason: conflict };
  const changes = item.changes.map(({ field, from, to }) => ({ field, from, to }));
  await item.store(trx, { actor, isNew: item.action === "create", changes });
  await decide({ state: "approved", reason, consumerId: item.id });
  return { outcome: "answered", reason };
}

/** As whoever asked sees the registry: nothing that is stored with the grant tells them of others. */
async function planAgain(
  trx: Transaction,
  deps: PlanDeps,
  { byTeam, team, teamId, manifest, digest, isAskerRevoked }: LockedGrant,
): Promise<PlannedGrant | { readonly trouble: string }> {
  if (isAskerRevoked) return { trouble: "The token that asked for it was revoked. Ask for it again with another." };
  const files = [{ name: "grant", text: JSON.stringify(manifest) }];
  const read = readManifests(files);
  const asking = byTeam ? { id: teamId, name: team } : undefined;
  const planned = read.issues.length > 0 ? read : await planGrants(trx, deps, read.manifests, { files, asking });
  if ("issues" in planned && planned.issues.length > 0) {
    const said = planned.issues.map(({ field, text }) => `${field} ${text}`).join(" ");
    return {
      trouble: byTeam
        ? `What was asked for is refused by now: ${said}`
        : `What was asked for is refused by now. ${again}`,
    };
  }
  const [found] = "grants" in planned ? planned.grants : [];
  if (found === undefined || found.digest !== digest)
    return { trouble: `What it would deliver, or what it changes, is not what it was when it was asked for. ${again}` };
  return found;
}

const again = "Ask for it again, and have that approved: rekey consumer register";
