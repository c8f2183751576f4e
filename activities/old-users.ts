import type { Stranger } from "../domain/guard.ts";
import { clientKey, readProposalIds, recordProposals, type SeenWhere } from "../ledger/proposals.ts";
import { isOneSlot } from "../domain/order.ts";
import type { ConsumerCase, RotationCase } from "../ledger/rotation-cases.ts";
import { readSeenSince, type UsageSample } from "../ledger/usage-samples.ts";
import type { EvidenceVersion } from "../providers/contract/evidence.ts";
import type { SeenSession, Usage } from "../providers/contract/issuer.ts";
import { mayBeOnUnwanted } from "../providers/evidence/sessions/one-slot.ts";
import { latestWindow } from "../providers/evidence/sessions/window.ts";
import { collectorOf } from "./reach.ts";
import type { StepDeps } from "./step-deps.ts";

/** The two versions that a round of questions is about. */
export interface RoundVersions {
  readonly expected: EvidenceVersion;
  readonly unwanted: EvidenceVersion | undefined;
}

/** Sessions on the version that is to end. */
export interface OldUsers {
  readonly sessions: readonly SeenSession[];
  /** How many of them at one time. */
  readonly atOnce: number;
}

export function usersInWindow(
  deps: StepDeps,
  one: RotationCase,
  versions: RoundVersions,
  sampled: readonly UsageSample<Usage>[],
): OldUsers {
  const usages = sampled.map(({ usage }) => usage);
  const { unwanted } = versions;
  const old = latestWindow(usages, one.policy.observeForMs).samples.map((usage) =>
    withoutSuspects(
      deps,
      one,
      sessionsToEnd(one, versions, unwanted === undefined ? [] : (usage.sessions[unwanted.handle] ?? [])),
    ),
  );
  return { sessions: old.flat(), atOnce: Math.max(0, ...old.map(({ length }) => length)) };
}

/** Whom any sample since the step began to ask shows on what is to end, and who has not moved since. */
export async function usersSinceAsked(
  deps: StepDeps,
  one: RotationCase,
  versions: RoundVersions,
  adopted: ReadonlyMap<string, number>,
): Promise<OldUsers> {
  const { rotationId } = one;
  if (versions.unwanted === undefined) return { sessions: [], atOnce: 0 };
  const { handle } = versions.unwanted;
  const seen = await readSeenSince<SeenSession>(deps.ledger.db, { rotationId, handle });
  const sessions = seen.sessions
    .filter(({ session, seenAt }) => !hasMovedSince(deps, one, { session, seenAt, adopted }))
    .map(({ session }) => session);
  const old = withoutSuspects(deps, one, sessionsToEnd(one, versions, sessions));
  return { sessions: old, atOnce: Math.min(old.length, seen.atOnce) };
}

/** Of sessions on the login of the version that is to end those on that version: in a single slot those that may be. */
function sessionsToEnd(
  one: RotationCase,
  { unwanted, expected }: RoundVersions,
  found: readonly SeenSession[],
): readonly SeenSession[] {
  return isOneSlot(one.order) ? found.filter((session) => mayBeOnUnwanted(session, expected, unwanted)) : found;
}

/** Who may be the leak keeps nobody from ending what has leaked. A session that another consumer explains stays. */
function withoutSuspects(
  deps: StepDeps,
  { suspects, consumers }: Pick<RotationCase, "suspects" | "consumers">,
  sessions: readonly SeenSession[],
): readonly SeenSession[] {
  if (suspects.length === 0) return sessions;
  const isOf = (some: readonly ConsumerCase[], session: SeenSession) =>
    some.some((consumer) => explains(deps, consumer, session));
  return sessions.filter((session) => isOf(consumers, session) || !isOf(suspects, session));
}

/** As those are asked who count: what a suspect still does says nothing of whether they have moved. */
export function usageOfOthers(deps: StepDeps, one: RotationCase, usage: Usage): Usage {
  if (one.suspects.length === 0) return usage;
  const kept = Object.entries(usage.sessions).map(([handle, found]) => [handle, withoutSuspects(deps, one, found)]);
  return { ...usage, sessions: Object.fromEntries(kept) as Usage["sessions"] };
}

function explains(deps: StepDeps, { collectors }: ConsumerCase, session: SeenSession): boolean {
  return Object.entries(collectors).some(([kind, given]) => {
    const definition = collectorOf(deps, kind);
    return definition.explains?.(definition.configSchema.parse(given), session) ?? false;
  });
}

export function strangersAmong(
  deps: StepDeps,
  one: Pick<RotationCase, "consumers">,
  sessions: readonly SeenSession[],
): readonly SeenSession[] {
  return sessions.filter((session) => !one.consumers.some((consumer) => explains(deps, consumer, session)));
}

/** Keeps who is there without being registered, whichever of the versions they are on. */
export async function noteStrangers(
  deps: StepDeps,
  one: SeenWhere & Pick<RotationCase, "consumers">,
  { sessions }: Usage,
): Promise<void> {
  const { credentialId, rotationId } = one;
  const strangers = strangersAmong(deps, one, Object.values(sessions).flat());
  await recordProposals(deps.ledger, { credentialId, rotationId }, strangers);
}

/** The same strangers, each with what proposes to register it. */
export async function withProposals(
  { ledger }: StepDeps,
  credentialId: string,
  strangers: readonly SeenSession[],
): Promise<readonly Stranger[]> {
  if (strangers.length === 0) return [];
  const ids = await readProposalIds(ledger.db, credentialId);
  return strangers.map((stranger) => ({ ...stranger, proposal: ids.get(clientKey(stranger)) }));
}

interface Sighting {
  readonly session: SeenSession;
  readonly seenAt: number;
  /** When each consumer first showed the expected version completely. */
  readonly adopted: ReadonlyMap<string, number>;
}

/**
 * Whether the session is that of a consumer that has adopted the expected version only after it was seen: one that
 * registered late is delivered while everybody is watched already. What is seen of it from then on counts in full, and
 * one that never adopts is excused nothing.
 */
function hasMovedSince(deps: StepDeps, one: RotationCase, { session, seenAt, adopted }: Sighting): boolean {
  return one.consumers.some(
    (consumer) => (adopted.get(consumer.consumerId) ?? 0) > seenAt && explains(deps, consumer, session),
  );
}

/** Whoever answers for itself that it has moved may still be here. */
export function usersAmong(deps: StepDeps, one: RotationCase, sessions: readonly SeenSession[]): readonly string[] {
  return one.consumers
    .filter((consumer) => sessions.some((session) => explains(deps, consumer, session)))
    .map(({ name }) => name);
}
