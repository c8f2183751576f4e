import { recordVerdict } from "../ledger/evidence-rows.ts";
import { askAndJudge, waitOrHold } from "./ask-and-judge.ts";
import type { StepWork } from "./step-frame.ts";

/** At most so many samples are taken over a grace, however long it is. */
const samplesInGrace = 200;

/**
 * Waits out the grace and watches meanwhile who still uses the old version. Then everybody is asked again, and the
 * first verdict has to be clear.
 */
export const drain: StepWork = async (scene) => {
  const { deps, one } = scene;
  const { policy, urgent, extendedMs, inPhaseMs } = one;
  const graceMs = urgent ? 0 : policy.graceMs + extendedMs;
  const judged = await askAndJudge(scene, true);
  if (judged === undefined) return { does: "wait", waitMs: 0 };
  // The evidence that counts was collected after the grace, over the whole time that it is observed.
  const restMs = graceMs + policy.observeForMs - inPhaseMs;
  const nextMs = Math.min(restMs, Math.max(policy.lookEveryMs, graceMs / samplesInGrace));
  if (restMs > 0) return waitOrHold(scene, judged.verdict.gaps, -restMs, nextMs);
  const { rotationId } = one;
  await recordVerdict(deps.ledger.db, { rotationId, purpose: "drain", verdict: judged.verdict });
  if (judged.verdict.clear) return { does: "finish" };
  return waitOrHold(scene, judged.verdict.gaps, Math.min(-restMs, judged.watchedMs));
};
