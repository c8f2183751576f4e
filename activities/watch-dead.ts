import { foundAfterDeath, type DeadLook } from "../domain/death-watch.ts";
import { RekeyError } from "../domain/errors.ts";
import { isOneSlot } from "../domain/order.ts";
import {
  readKnownKeys,
  recordBlindLook,
  recordDeadLook,
  type DeathWatch,
  type KnownKeys,
} from "../ledger/death-watches.ts";
import type { IssuerFacts, IssuerSession, SeenSession } from "../providers/contract/issuer.ts";
import { microsecondsOf } from "../providers/evidence/sessions/instant.ts";
import { withIssuer } from "./reach.ts";
import type { StepDeps } from "./step-deps.ts";
import { contextFor } from "./step-frame.ts";

/**
 * Looks at the issuer after a version that had leaked has died: which keys can log in that should not, and who is on the
 * dead one, as far as the issuer shows it. Changes nothing there: what it finds is somebody's, and a person has to ask whose.
 */
export async function watchDead(deps: StepDeps, watch: DeathWatch, signal: AbortSignal): Promise<void> {
  try {
    const beganAt = performance.now();
    const found = await withIssuer(deps, watch, contextFor(deps, signal), async (session, { facts }) => {
      const listed = await session.list();
      const usage = await session.usage?.([watch.handle]);
      const keys = await readKnownKeys(deps.ledger.db, watch);
      const { number, handle } = watch;
      const { known, isMaking } = keys;
      const sessions = onDead(watch, keys, usage?.sessions[handle] ?? []);
      const lastUse = await usedSince(session, facts, watch, keys);
      return foundAfterDeath({
        number,
        listed,
        known,
        isMaking,
        tookMs: performance.now() - beganAt,
        sessions,
        lastUse,
      });
    });
    await recordDeadLook(deps.ledger, watch, found);
  } catch (error) {
    if (!(error instanceof RekeyError) || signal.aborted) throw error;
    await recordBlindLook(deps.ledger, watch, error.code);
  }
}

/** In one slot the login lives on: only who came in before what is in force now can be on the dead version. */
function onDead({ order }: DeathWatch, { since }: KnownKeys, sessions: readonly SeenSession[]): readonly SeenSession[] {
  if (!isOneSlot(order)) return sessions;
  const from = microsecondsOf(since ?? "");
  if (from === undefined) return [];
  return sessions.filter(({ startedAt }) => (microsecondsOf(startedAt) ?? Infinity) + inMilliseconds < from);
}

/** The start of a session is told without what is smaller. */
const inMilliseconds = 1_000;

/** By the issuer's clock it was so long ago, by the ledger's the version died so long ago; the two are never compared. */
async function usedSince(
  session: IssuerSession,
  { usage }: IssuerFacts,
  { handle }: DeathWatch,
  { deadForMs }: KnownKeys,
): Promise<DeadLook["lastUse"]> {
  if (usage.covers !== "last-used" || session.lastUses === undefined) return undefined;
  const { at, lastUsed } = await session.lastUses([handle]);
  const use = lastUsed[handle];
  if (use === undefined || use === null) return undefined;
  const agoMs = ((microsecondsOf(at) ?? Number.NaN) - (microsecondsOf(use.at) ?? Number.NaN)) / 1_000;
  // A time that cannot be read is no sign of a use.
  return agoMs + usage.grainMs < deadForMs ? use : undefined;
}
