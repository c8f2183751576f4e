import { RekeyError, TransientError } from "../domain/errors.ts";
import type { UndoAction } from "../domain/undo.ts";
import type { ConsumerCase } from "../ledger/rotation-cases.ts";
import { readAcceptedGaps } from "../ledger/holds.ts";
import { deliverTo, reloadGap } from "./deliver-to.ts";
import { formerOf } from "./reach.ts";
import { GapsFoundError, type StepResult, type StepScene } from "./step-frame.ts";

/** Accepted, it leaves the consumer on the candidate for now; the guard still asks. */
export const restoreGap = (consumerId: string): string => `restore_failed:${consumerId}`;

/** Brings the previous version back to every consumer that may hold the candidate. */
export async function restore(scene: StepScene, { consumers: ids = [] }: UndoAction): Promise<StepResult> {
  const { deps, one, context } = scene;
  const acceptedGaps = await readAcceptedGaps(deps.ledger.db, one.rotationId);
  const version = formerOf(one);
  for (const consumer of one.consumers) {
    const { consumerId, delivery } = consumer;
    if (!ids.includes(consumerId) || acceptedGaps.includes(restoreGap(consumerId))) continue;
    if (delivery?.version === version.number) continue;
    const skipsReload = acceptedGaps.includes(reloadGap(consumer));
    try {
      await deliverTo(deps, { one, consumer, version, step: "restore", skipsReload }, context);
    } catch (error) {
      throw asRestoreFailure(scene, consumer, error);
    }
  }
  return { does: "wait", waitMs: 0 };
}

/** What passes by itself is tried again; what does not is a consumer that a person has to look at. */
function asRestoreFailure({ one }: StepScene, consumer: ConsumerCase, error: unknown): unknown {
  if (!(error instanceof RekeyError) || error.code === "reload_failed" || error.code === "claim_outdated") return error;
  if (error instanceof TransientError && one.attempts + 1 < one.policy.attempts) return error;
  const text = `Consumer ${consumer.name} could not be brought back: ${error.detail}`;
  const gap = { code: "restore_failed", key: restoreGap(consumer.consumerId), text } as const;
  return new GapsFoundError("restore_failed", text, [gap]);
}
