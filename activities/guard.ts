import type { Gap, GuardConsumer, GuardVerdict } from "../domain/guard.ts";
import { contains } from "../domain/order.ts";
import { longestWaitMs } from "../domain/standing.ts";
import { enterRevoking } from "../ledger/enter-revoking.ts";
import { readAdopted, recordVerdict, type LatestEvidence } from "../ledger/evidence-rows.ts";
import { readFeltWaits } from "../ledger/felt-effects.ts";
import { stepBackToDrained, takeEnableTurn } from "../ledger/step-back.ts";
import { askAndJudge, waitOrHold, type Judged } from "./ask-and-judge.ts";
import { effect, formerOf, refOf, withIssuer } from "./reach.ts";
import { unknownFormerGaps } from "./unknown-former.ts";
import type { StepResult, StepScene, StepWork } from "./step-frame.ts";

/**
 * The last look before the point of no return: while the old version is disabled, every consumer is asked once more on
 * newer evidence. A clear verdict and the entry into `revoking` are one transaction.
 */
export const guard: StepWork = async (scene) => {
  if (contains(scene.one.order)) return containNow(scene);
  const { deps, one } = scene;
  const { rotationId, policy, urgent, inPhaseMs } = one;
  const judged = await askAndJudge(scene, true, unknownFormerGaps(one, "end"));
  if (judged === undefined) return { does: "wait", waitMs: 0 };
  const { input, verdict } = judged;
  const failed = await findVanished(scene, judged);
  if (failed !== undefined && !input.acceptedGaps.includes(healthGap(failed).key)) return enableAgain(scene, failed);
  const restMs = urgent ? 0 : Math.max(policy.disabledForMs, policy.observeForMs) - inPhaseMs;
  if (restMs > 0) return waitOrHold(scene, verdict.gaps, -restMs, Math.min(restMs, policy.lookEveryMs));
  if (verdict.clear) {
    const closed = (await readFeltWaits(deps.ledger.db, [rotationId])).get(rotationId);
    if (closed !== undefined)
      return { does: "wait", waitMs: Math.min(closed.waitMs, longestWaitMs, policy.lookEveryMs) };
    return enter(scene, verdict);
  }
  await recordVerdict(deps.ledger.db, { rotationId, purpose: "revoke", verdict });
  // What only a person can answer is asked once it is all that is left.
  const isAsked = verdict.gaps.every(({ code }) => code === "former_unknown");
  return waitOrHold(scene, verdict.gaps, isAsked ? Number.POSITIVE_INFINITY : Math.min(-restMs, judged.watchedMs));
};

/** The verdict and the entry are one transaction; it waits where somebody registered or said something meanwhile. */
async function enter({ deps, one }: StepScene, verdict: GuardVerdict): Promise<StepResult> {
  const { rotationId, credentialId, order, phase, lookedAt } = one;
  const all = [...one.consumers, ...one.suspects];
  const judged = Object.fromEntries(all.map(({ consumerId, revision }) => [consumerId, revision] as const));
  const clear = { rotationId, credentialId, order, phase, verdict, judged, lookedAt };
  const isEntered = await enterRevoking(deps.ledger, clear);
  return isEntered ? { does: "answer", answer: { now: "done" } } : { does: "wait", waitMs: 0 };
}

/** Nobody is waited for: the record of whom it breaks is all that is judged. */
async function containNow(scene: StepScene): Promise<StepResult> {
  const { consumers, suspects, to } = scene.one;
  const accepted = [...consumers, ...suspects].map(({ consumerId, name, isSuspected, delivery }): Gap => {
    const has = delivery?.version === to.number && !to.isCompromised ? "may not run" : "does not run";
    const why = isSuspected ? " It is suspected to be the leak." : "";
    const text = `Consumer ${name} ${has} on version ${to.number} yet.${why}`;
    return { code: "evidence_missing", key: `evidence_missing:${consumerId}`, text, consumerId };
  });
  return enter(scene, { clear: true, gaps: [], accepted, awaitsWindow: false });
}

/** Who had adopted and was not seen over the whole time that is watched, since the old version is refused. */
async function findVanished({ deps, one }: StepScene, judged: Judged): Promise<GuardConsumer | undefined> {
  const { from, to, rotationId, policy } = one;
  if (from?.state !== "disabled" || judged.watchedMs <= policy.observeForMs) return undefined;
  const adopted = await readAdopted(deps.ledger.db, { rotationId, version: to.number });
  return judged.input.consumers.find((consumer) => adopted.has(consumer.consumerId) && hasVanished(consumer));
}

/** A consumer of which nothing is seen any more since the old version is refused has not moved: it has broken. */
function hasVanished({ evidence }: GuardConsumer): boolean {
  const latest = evidence as LatestEvidence | undefined;
  return latest !== undefined && !latest.complete && latest.instances === 0 && latest.strength !== "delivered";
}

function healthGap({ consumerId, name }: GuardConsumer): Gap {
  const text = `Consumer ${name} was not seen any more once the old version was refused.`;
  return { code: "consumer_unhealthy", key: `consumer_unhealthy:${consumerId}`, text, consumerId };
}

/** The old version comes back by itself, before anybody is asked. */
async function enableAgain(scene: StepScene, failed: GuardConsumer): Promise<StepResult> {
  const { deps, one, context } = scene;
  const { rotationId, credentialId } = one;
  const former = formerOf(one);
  const turn = await takeEnableTurn(deps.ledger, rotationId);
  if (turn === undefined) return { does: "wait", waitMs: 0 };
  const { handle, operationKey, versionId } = former;
  await withIssuer(deps, one, context, async (session) => {
    const value = await deps.custody.get(refOf(one, former));
    const request = { handle, operationKey, claim: turn.claim };
    await effect("enable", async () => session.enable?.(value === undefined ? request : { ...request, value }));
  });
  const gap = healthGap(failed);
  const detail = `${gap.text} The old version works again. Mend the consumer, then retry.`;
  const code = "consumer_unhealthy";
  await stepBackToDrained(deps.ledger, { rotationId, credentialId, turn, versionId, code, detail, gaps: [gap] });
  return { does: "answer", answer: { now: "again" } };
}
