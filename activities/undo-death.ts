import { guardVerdict, type Gap } from "../domain/guard.ts";
import { isOneSlot } from "../domain/order.ts";
import { recordVerdict } from "../ledger/evidence-rows.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";
import type { IssuerSession } from "../providers/contract/issuer.ts";
import { microsecondsOf } from "../providers/evidence/sessions/instant.ts";
import { waitOrHold } from "./ask-and-judge.ts";
import { askEvidence } from "./evidence-round.ts";
import { turnOf } from "./turn-of.ts";
import { deathGap, provenDead } from "./prove.ts";
import { probeInRow } from "./probe-rounds.ts";
import { effect, formerOf, refOf, withIssuer } from "./reach.ts";
import { endSessionsInRow } from "./revoke.ts";
import { isMinted } from "./undo-candidate.ts";
import { proveGone } from "./undo-minted.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

/**
 * The mirror of the guard: the candidate ends only once every consumer that may hold it is seen back on the previous
 * version and nobody uses the candidate.
 */
export async function guardCandidate(scene: StepScene): Promise<StepResult> {
  const { deps, one, context } = scene;
  const unwanted = one.to.handle === undefined || wasNeverInSlot(one) ? undefined : one.to;
  const consumers = one.consumers.filter(({ isTouched }) => isTouched);
  if (unwanted === undefined && consumers.length === 0) return { does: "finish" };
  const question = { purpose: "abandon", expected: formerOf(one), unwanted, consumers, sinceAsked: false } as const;
  // A candidate that has leaked ends whoever is on it, once its emergency waits for nobody.
  if (one.isContained && one.to.isCompromised) return { does: "finish" };
  const { input, watchedMs } = await askEvidence(deps, one, question, context);
  const verdict = guardVerdict(input);
  const { rotationId } = one;
  if (verdict.clear) {
    await recordVerdict(deps.ledger.db, { rotationId, purpose: "abandon", verdict });
    return { does: "finish" };
  }
  const after = waitOrHold(scene, verdict.gaps, watchedMs - one.policy.observeForMs);
  if (after.does === "hold") await recordVerdict(deps.ledger.db, { rotationId, purpose: "abandon", verdict });
  return after;
}

/** A single slot is cut back before anybody is asked, which leaves no time only with a candidate that was never in it. */
const wasNeverInSlot = ({ order, to }: RotationCase): boolean => isOneSlot(order) && to.effectiveAt === undefined;

/** Sees the abandoned candidate refused, under control of the previous version. */
export async function proveRefused(scene: StepScene): Promise<StepResult> {
  const { deps, one, context } = scene;
  const { handle, versionId } = one.to;
  const value = await deps.custody.get(refOf(one, one.to));
  const minted = isMinted(deps, one);
  if (handle === undefined && !minted) return { does: "finish" };
  if (one.acceptedUnproven) return { does: "finish", versions: [{ versionId, state: "accepted-unproven" }] };
  if (minted) return proveGone(scene, value);
  if (handle === undefined) return { does: "finish" };
  // Without its value nobody can see it refused: that is for a person to accept, never silently clean.
  if (value === undefined)
    return waitOrHold(
      scene,
      [deathGap({ verdict: "unknown", code: "custody_missing", controls: [] })],
      Number.POSITIVE_INFINITY,
    );
  // A former value that is lost leaves the connection's own login as the control.
  const control = await deps.custody.get(refOf(one, formerOf(one)));
  const request = control === undefined ? { handle, value } : { handle, value, control };
  const held = control === undefined ? [value] : [value, control];
  return withIssuer(deps, one, context, async (session, { facts }) => {
    const remaining = await endCandidateSessions(scene, session);
    if (remaining > 0) return waitOrHold(scene, [sessionsGap(remaining)], one.askedForMs);
    const rounds = { inRow: one.policy.answersInRow, lagMs: facts.deactivationLagMs, signal: context.signal };
    const answer = await deps.scrubber.withHeld(held, async () => probeInRow(session, request, "refused", rounds));
    if (answer.verdict !== "refused") return waitOrHold(scene, [deathGap(answer)], one.askedForMs);
    return { does: "finish", versions: [provenDead(versionId, answer, rounds.inRow)] };
  });
}

/**
 * Ends the sessions that began while the candidate was in its slot: whoever accepted that they break was told so. In an
 * overlap they end with their login, when that is abandoned.
 */
async function endCandidateSessions({ one, turn, context }: StepScene, session: IssuerSession): Promise<number> {
  const { handle, operationKey, effectiveAt: back } = formerOf(one);
  const { effectiveAt: since } = one.to;
  if (!isOneSlot(one.order) || since === undefined) return 0;
  // A time from before the cut is not that of a return: then all since the cut may be the candidate's.
  const isReturn = (microsecondsOf(back ?? "") ?? -Infinity) > (microsecondsOf(since) ?? Infinity);
  const before = isReturn && back !== undefined ? { before: back } : {};
  const request = { handle, operationKey, claim: turnOf(turn).claim, since, ...before };
  return endSessionsInRow(session, request, one.policy.answersInRow, context.signal);
}

function sessionsGap(remaining: number): Gap {
  const text = `Sessions that began on the candidate come back after they were ended: ${remaining}. Find the client and stop it.`;
  return { code: "death_unproven", key: "death_unproven:sessions", text };
}

/** Destroys the candidate's value, which nothing accepts any more. One that was accepted without proof is kept. */
export async function forget({ deps, one }: StepScene): Promise<StepResult> {
  if (one.to.state !== "accepted-unproven")
    await effect("undo-forget", async () => deps.custody.forget(refOf(one, one.to)));
  return { does: "finish" };
}
