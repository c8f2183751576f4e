import { guardVerdict, type Gap, type GuardInput, type GuardVerdict } from "../domain/guard.ts";
import { readAcceptedGaps } from "../ledger/holds.ts";
import { deliverMissing } from "./deliver-to.ts";
import { askEvidence } from "./evidence-round.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

export interface Judged {
  readonly input: GuardInput;
  readonly verdict: GuardVerdict;
  readonly watchedMs: number;
  readonly keptWatchMs: number;
}

/**
 * Brings the candidate to consumers that registered late, then asks everybody and judges. Undefined when somebody was
 * late: what has just been delivered cannot have been adopted yet. `gaps`: what the step itself found besides. `watchMs`: for
 * so long who uses the old version is watched first, where the issuer can be.
 */
export async function askAndJudge(
  scene: StepScene,
  sinceAsked: boolean,
  gaps: readonly Gap[] = [],
  watchMs = 0,
): Promise<Judged | undefined> {
  const { deps, one, context } = scene;
  const { consumers, to, from } = one;
  const acceptedGaps = await readAcceptedGaps(deps.ledger.db, one.rotationId);
  const wasLate = await deliverMissing(deps, { one, version: to, step: "deliver", consumers, acceptedGaps }, context);
  if (wasLate) return undefined;
  const question = { purpose: "revoke", expected: to, unwanted: from, consumers, sinceAsked, watchMs } as const;
  const { input: asked, watchedMs, keptWatchMs } = await askEvidence(deps, one, question, context);
  const input = { ...asked, alsoFound: [...(asked.alsoFound ?? []), ...gaps] };
  return { input, verdict: guardVerdict(input), watchedMs, keptWatchMs };
}

/**
 * Asks again soon, or asks a person once the time for it is over, of which a worker's long absence is no part. A changed
 * registration does not pass by itself, so it is asked about at once, and alone: what may still come is not accepted with it.
 */
export function waitOrHold(
  { one }: Pick<StepScene, "one">,
  gaps: readonly Gap[],
  overdueMs: number,
  waitMs: number = one.policy.lookEveryMs,
): StepResult {
  const isOverdue =
    overdueMs === Number.POSITIVE_INFINITY || Math.min(overdueMs, one.askedForMs) > one.policy.holdAfterMs;
  const asked = isOverdue ? gaps : gaps.filter(({ code }) => code === "registration_changed");
  const [first] = asked;
  if (first === undefined) return { does: "wait", waitMs };
  return { does: "hold", code: first.code, detail: asked.map(({ text }) => text).join("\n"), gaps: asked };
}
