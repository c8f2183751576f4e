import { guardVerdict, type Gap, type GuardInput, type GuardVerdict } from "../domain/guard.ts";
import { readAcceptedGaps } from "../ledger/holds.ts";
import { deliverMissing } from "./deliver-to.ts";
import { askEvidence } from "./evidence-round.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

export interface Judged {
  readonly input: GuardInput;
  readonly verdict: GuardVerdict;
  readonly watchedMs: number;
}

/**
 * Brings the candidate to consumers that registered late, then asks everybody and judges. Undefined when somebody was
 * late: what has just been delivered cannot have been adopted yet. `gaps`: what the step itself found besides.
 */
export async function askAndJudge(
  scene: StepScene,
  sinceAsked: boolean,
  gaps: readonly Gap[] = [],
): Promise<Judged | undefined> {
  const { deps, one, context } = scene;
  const { consumers, to, from } = one;
  const acceptedGaps = await readAcceptedGaps(deps.ledger.db, one.rotationId);
  const wasLate = await deliverMissing(deps, { one, version: to, step: "deliver", consumers, acceptedGaps }, context);
  if (wasLate) return undefined;
  const question = { purpose: "revoke", expected: to, unwanted: from, consumers, sinceAsked } as const;
  const { input: asked, watchedMs } = await askEvidence(deps, one, question, context);
  const input = { ...asked, alsoFound: [...(asked.alsoFound ?? []), ...gaps] };
  return { input, verdict: guardVerdict(input), watchedMs };
}

/** Asks again soon, or asks a person once the time for it is over, of which a worker's long absence is no part. */
export function waitOrHold({ one }: Pick<StepScene, "one">, gaps: readonly Gap[], overdueMs: number): StepResult {
  const [first] = gaps;
  const isOverdue =
    overdueMs === Number.POSITIVE_INFINITY || Math.min(overdueMs, one.askedForMs) > one.policy.holdAfterMs;
  if (first === undefined || !isOverdue) return { does: "wait", waitMs: one.policy.lookEveryMs };
  return { does: "hold", code: first.code, detail: gaps.map(({ text }) => text).join("\n"), gaps };
}
