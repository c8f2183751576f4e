import { RekeyError, TransientError, type Code } from "../domain/errors.ts";
import type { Gap } from "../domain/guard.ts";
import { isOneSlot } from "../domain/order.ts";
import type { UndoAction } from "../domain/undo.ts";
import type { ConsumerCase } from "../ledger/rotation-cases.ts";
import { leaveBehind, readAcceptedGaps } from "../ledger/holds.ts";
import { deliverTo } from "./deliver-to.ts";
import { formerOf } from "./reach.ts";
import { seeFormerWorks } from "./see-works.ts";
import { GapsFoundError, type StepResult, type StepScene } from "./step-frame.ts";

/** Accepted, it leaves the consumer on the candidate for now; the guard still asks. */
export const restoreGap = (consumerId: string): string => `restore_failed:${consumerId}`;

/** Brings the previous version back to every consumer that may hold the candidate. */
export async function restore(scene: StepScene, { consumers: ids = [] }: UndoAction): Promise<StepResult> {
  const { deps, one, context } = scene;
  const acceptedGaps = await readAcceptedGaps(deps.ledger.db, one.rotationId);
  const version = formerOf(one);
  const left = one.consumers.filter(
    ({ consumerId, delivery }) =>
      ids.includes(consumerId) &&
      !acceptedGaps.includes(restoreGap(consumerId)) &&
      delivery?.version !== version.number,
  );
  // In a single slot the former value comes into force after this, and is seen then.
  const isSeen =
    left.length === 0 || isOneSlot(one.order) || (await unlessLeft(scene, left, async () => seeFormer(scene, left)));
  if (!isSeen) return { does: "wait", waitMs: 0 };
  for (const consumer of left)
    await unlessLeft(scene, [consumer], async () => {
      try {
        await deliverTo(deps, { one, consumer, version, step: "restore", acceptedGaps }, context);
      } catch (error) {
        throw asRestoreFailure(scene, consumer, error);
      }
    });
  return { does: "wait", waitMs: 0 };
}

/**
 * Who cannot be brought back after a second try breaks, once the candidate has leaked and its emergency waits for
 * nobody: it is recorded as left behind. True when the work was done.
 */
async function unlessLeft(
  { deps, one, context }: StepScene,
  consumers: readonly ConsumerCase[],
  work: () => Promise<void>,
): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    const isLeft = one.isContained && one.to.isCompromised && one.attempts > 0 && !context.signal.aborted;
    if (!isLeft || !(error instanceof RekeyError)) throw error;
    const gaps = consumers.map(({ consumerId, name }): Gap => {
      const text = `Consumer ${name} stays on version ${one.to.number}, which ends now: ${error.detail}`;
      return { code: "restore_failed", key: restoreGap(consumerId), text, consumerId };
    });
    const detail = gaps.map(({ text }) => text).join("\n");
    await leaveBehind(deps.ledger, { rotationId: one.rotationId, code: "restore_failed", detail, gaps });
    return false;
  }
}

const isAboutVersion = ({ code }: RekeyError): boolean =>
  code === "restore_failed" || code === "handle_taken" || code === "value_unfit" || code === "custody_missing";

/** While the former version does not work nobody gets it; a person looks at it, or leaves the consumers where they are. */
async function seeFormer(scene: StepScene, left: readonly ConsumerCase[]): Promise<void> {
  try {
    await seeFormerWorks(scene);
  } catch (error) {
    // What is wrong with the issuer or the connection is said as such, and what may pass is asked again.
    if (!(error instanceof RekeyError) || error instanceof TransientError || !isAboutVersion(error)) throw error;
    const number = formerOf(scene.one).number;
    const detail =
      error.code === "restore_failed"
        ? error.detail
        : `Version ${number} does not work, and could not be made to work again. Nothing was delivered. ${error.detail}`;
    const gaps = left.map(({ consumerId, name }) => {
      const text = `Consumer ${name} cannot be brought back: version ${number} does not work.`;
      return { code: "restore_failed", key: restoreGap(consumerId), text, consumerId } as const;
    });
    throw new GapsFoundError("restore_failed", detail, gaps);
  }
}

/** Codes of failures that a decision on the hold answers in its own way, or that no person has to answer. */
const hasOwnAnswer: ReadonlySet<Code> = new Set(["reload_failed", "claim_outdated", "connection_changed"]);

/** What passes by itself is tried again; what does not is a consumer that a person has to look at. */
function asRestoreFailure({ one }: StepScene, consumer: ConsumerCase, error: unknown): unknown {
  if (!(error instanceof RekeyError) || hasOwnAnswer.has(error.code)) return error;
  if (error instanceof TransientError && one.attempts + 1 < one.policy.attempts) return error;
  const { consumerId, name } = consumer;
  const text = `Consumer ${name} could not be brought back: ${error.detail}`;
  const gap = { code: "restore_failed", key: restoreGap(consumerId), text, consumerId } as const;
  return new GapsFoundError("restore_failed", text, [gap]);
}
