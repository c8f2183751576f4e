import { watchedBeforeEndMs } from "../domain/watched.ts";
import { longestWaitMs } from "../domain/standing.ts";
import { recordVerdict } from "../ledger/evidence-rows.ts";
import { askAnew, readFeltWaits } from "../ledger/felt-effects.ts";
import { askAndJudge, waitOrHold } from "./ask-and-judge.ts";
import { issuerOf } from "./reach.ts";
import type { StepScene, StepWork } from "./step-frame.ts";

/** At most so many samples are taken over a grace, however long it is. */
const samplesInGrace = 200;
/** What is commanded meanwhile is heard after it. */
const longestWatchMs = 5_000;

/**
 * Waits out the grace and looks meanwhile who still uses the old version; its end is watched without a break, so that
 * somebody who comes for a moment now and then is seen too. Then everybody is asked again, and the first verdict has to
 * be clear.
 */
export const drain: StepWork = async (scene) => {
  const { deps, one } = scene;
  const { rotationId, policy, urgent, extendedMs, inPhaseMs, askedForMs } = one;
  const { observeForMs, lookEveryMs } = policy;
  const graceMs = urgent ? 0 : policy.graceMs + extendedMs;
  const toWatchMs = canWatch(scene) ? watchedBeforeEndMs({ graceMs, observeForMs }) : 0;
  // The evidence that counts was collected after the grace, over the whole time that it is observed; and whoever answers a
  // hold by saying that somebody has gone is believed after a watch that is as long as the first.
  // Where it hurries, what each consumer showed before counts, and each is asked once more now.
  const beforeMs = urgent ? 0 : Math.max(graceMs + observeForMs - inPhaseMs, toWatchMs - askedForMs);
  const untilWatchMs = beforeMs - toWatchMs;
  const watchMs = untilWatchMs > 0 ? 0 : Math.max(0, Math.min(beforeMs, lookEveryMs, longestWatchMs));
  const judged = await askAndJudge(scene, true, [], watchMs);
  if (judged === undefined) return { does: "wait", waitMs: 0 };
  const { verdict, watchedMs, keptWatchMs } = judged;
  const closed = canWatch(scene) ? (await readFeltWaits(deps.ledger.db, [rotationId])).get(rotationId) : undefined;
  if (closed !== undefined) {
    // Nobody is refused before it may be felt, so that the watch stands right before that and not the night before.
    await askAnew(deps.ledger.db, [rotationId]);
    return { does: "wait", waitMs: Math.min(closed.waitMs, longestWaitMs) };
  }
  const leftMs = beforeMs - keptWatchMs;
  if (leftMs > 0) {
    const lookMs = Math.min(leftMs, Math.max(lookEveryMs, graceMs / samplesInGrace));
    const nextMs = untilWatchMs > 0 ? Math.min(lookMs, untilWatchMs) : lookMs;
    return waitOrHold(scene, verdict.gaps, -leftMs, keptWatchMs > 0 ? 0 : nextMs);
  }
  await recordVerdict(deps.ledger.db, { rotationId, purpose: "drain", verdict });
  if (verdict.clear) return { does: "finish" };
  return waitOrHold(scene, verdict.gaps, Math.min(-leftMs, watchedMs));
};

/** With a single slot nobody comes by the old version any more: who is still in stays in, and one look sees them. */
function canWatch({ deps, one }: StepScene): boolean {
  const { usage } = issuerOf(deps, one.connection.kind).facts;
  return one.order === "overlap" && usage.covers !== "last-used" && usage.watchedStayMs !== undefined;
}
