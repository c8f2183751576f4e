import type { Gap, GuardConsumer } from "../domain/guard.ts";
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
  const { deps, one } = scene;
  const { rotationId, credentialId, order, policy, urgent, inPhaseMs } = one;
  const judged = await askAndJudge(scene, true, unknownFormerGaps(one, "end"));
  if (judged === undefined) return { does: "wait", waitMs: 0 };
  const { input, verdict } = judged;
  const failed = await findVanished(scene, judged);
  if (failed !== undefined && !input.acceptedGaps.includes(healthGap(failed).key)) return enableAgain(scene, failed);
  const restMs = Math.max(urgent ? 0 : policy.disabledForMs, policy.observeForMs) - inPhaseMs;
  if (restMs > 0) return waitOrHold(scene, verdict.gaps, -restMs, Math.min(restMs, policy.lookEveryMs));
  if (verdict.clear) {
    const closed = (await readFeltWaits(deps.ledger.db, [rotationId])).get(rotationId);
    if (closed !== undefined)
      return { does: "wait", waitMs: Math.min(closed.waitMs, longestWaitMs, policy.lookEveryMs) };
    const revisions = one.consumers.map(({ consumerId, revision }) => [consumerId, revision] as const);
    const clear = {
      rotationId,
      credentialId,
      order,
      verdict,
      judged: Object.fromEntries(revisions),
      lookedAt: one.lookedAt,
    };
    const isEntered = await enterRevoking(deps.ledger, clear);
    return isEntered ? { does: "answer", answer: { now: "done" } } : { does: "wait", waitMs: 0 };
  }
  await recordVerdict(deps.ledger.db, { rotationId, purpose: "revoke", verdict });
  // What only a person can answer is asked once it is all that is left.
  const isAsked = verdict.gaps.every(({ code }) => code === "former_unknown");
  return waitOrHold(scene, verdict.gaps, isAsked ? Number.POSITIVE_INFINITY : Math.min(-restMs, judged.watchedMs));
};

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
