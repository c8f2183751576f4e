import { guardVerdict } from "../domain/guard.ts";
import { recordVerdict } from "../ledger/evidence-rows.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";
import { waitOrHold } from "./ask-and-judge.ts";
import { askEvidence } from "./evidence-round.ts";
import { deathGap } from "./prove.ts";
import { probeInRow } from "./probe-rounds.ts";
import { effect, formerOf, refOf, valueOf, withIssuer } from "./reach.ts";
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
const wasNeverInSlot = ({ order, to }: RotationCase): boolean =>
  order === "single-slot" && to.effectiveAt === undefined;

/** Sees the abandoned candidate refused, under control of the previous version. */
export async function proveRefused(scene: StepScene): Promise<StepResult> {
  const { deps, one, context } = scene;
  const { handle, versionId } = one.to;
  const value = await deps.custody.get(refOf(one, one.to));
  if (handle === undefined) return { does: "finish" };
  if (one.acceptedUnproven) return { does: "finish", versions: [{ versionId, state: "accepted-unproven" }] };
  // Without its value nobody can see it refused: that is for a person to accept, never silently clean.
  if (value === undefined) return waitOrHold(scene, [deathGap("unknown", "custody_missing")], Number.POSITIVE_INFINITY);
  const control = await valueOf(deps, one, formerOf(one));
  return withIssuer(deps, one, context, async (session, { facts }) => {
    const rounds = { inRow: one.policy.answersInRow, lagMs: facts.deactivationLagMs, signal: context.signal };
    const answer = await deps.scrubber.withHeld([value, control], async () =>
      probeInRow(session, { handle, value, control }, "refused", rounds),
    );
    if (answer.verdict !== "refused") return waitOrHold(scene, [deathGap(answer.verdict, answer.code)], one.askedForMs);
    return { does: "finish", versions: [{ versionId, state: "proven-dead" }] };
  });
}

/** Destroys the candidate's value, which nothing accepts any more. One that was accepted without proof is kept. */
export async function forget({ deps, one }: StepScene): Promise<StepResult> {
  if (one.to.state !== "accepted-unproven")
    await effect("undo-forget", async () => deps.custody.forget(refOf(one, one.to)));
  return { does: "finish" };
}
