import { filedDigest, readFiledDigest } from "../custody/observation-keys.ts";
import { OperatorNeededError, PermanentError, RekeyError } from "../domain/errors.ts";
import type { ConsumerCase, RotationCase, VersionCase } from "../ledger/rotation-cases.ts";
import { intendDeliveries, recordDeliveries } from "../ledger/deliveries.ts";
import type { ConsumerSession, Observation } from "../providers/contract/consumer.ts";
import type { ProviderContext } from "../providers/contract/context.ts";
import { failpoint } from "./failpoint.ts";
import { atTarget, withConsumer, type ConsumerScene } from "./reach-consumer.ts";
import { effect, valueOf } from "./reach.ts";
import { seeWorks } from "./see-works.ts";
import type { StepDeps } from "./step-deps.ts";
import { GapsFoundError, type StepScene } from "./step-frame.ts";

/**
 * What the target may hold now: nothing, what we last put there, or a version of this very rotation. Anything else was
 * put there by somebody else and is not overwritten.
 */
export async function expectedContent(
  scene: Pick<StepScene, "deps" | "one" | "context">,
  consumer: ConsumerCase,
  session: ConsumerSession,
): Promise<{ readonly digest: string; readonly number: number }> {
  const { deps, one } = scene;
  const seen = await atTarget(consumer, async () => session.observe());
  const found = { digest: seen.digest, number: numberOn(one, consumer, seen) };
  if (seen.isEmpty || (await isAsRecorded(scene, consumer, seen))) return found;
  for (const version of [one.from, one.to]) {
    if (version === undefined || (version === one.to && version.handle === undefined)) continue;
    // Never touched by us, it holds what a person accepted to lose before the first delivery.
    if (version.isUnknown && consumer.heldDigest === undefined) return found;
    if (version.isUnknown) continue;
    if (seen.holds(await valueOf(deps, one, version))) return found;
  }
  const lead =
    `Consumer ${consumer.name}: ${consumer.target} holds a value that rekey did not put there. ${seen.foreignHands ?? ""}`.trimEnd();
  throw new OperatorNeededError(
    "target_drift",
    `${lead} Put version ${one.from?.number ?? one.to.number} back there by hand, or register the consumer anew; then retry.`,
  );
}

/** Whether it is what we last put there, compared under the key with which that was recorded. */
export async function isAsRecorded(scene: ConsumerScene, consumer: ConsumerCase, seen: Observation): Promise<boolean> {
  if (consumer.heldDigest === undefined) return false;
  const { observationKeys } = scene.deps;
  const { keyId, digest } = readFiledDigest(consumer.heldDigest);
  if (keyId === observationKeys.newest.id) return seen.digest === digest;
  const key = observationKeys.find(keyId);
  if (key === undefined) return false;
  const again = async (session: ConsumerSession) => atTarget(consumer, async () => session.observe());
  return (await withConsumer(scene, consumer, again, key)).digest === digest;
}

/** A target that was written under a later epoch belongs to a ledger that is newer than ours, which was restored. */
function numberOn({ epoch }: RotationCase, consumer: ConsumerCase, { number }: Observation): number {
  if (number === undefined || number.epoch < epoch) return 0;
  if (number.epoch === epoch) return number.number;
  throw new OperatorNeededError(
    "target_drift",
    `Consumer ${consumer.name}: ${consumer.target} was written by an installation with a later epoch. Find out which of the two installations is in charge of it; then remove the other's mark beside the value (its side file or annotation).`,
  );
}

export interface DeliveryWish {
  readonly one: RotationCase;
  readonly consumer: ConsumerCase;
  readonly version: VersionCase;
  readonly step: "deliver" | "restore";
  /** A person restarts the consumer instead of us. */
  readonly skipsReload: boolean;
}

/**
 * Puts a version where one consumer reads it, tells it to reload, and records that. The intent and its number exist
 * before the target is touched; a repeat is harmless.
 */
export async function deliverTo(deps: StepDeps, wish: DeliveryWish, context: ProviderContext): Promise<void> {
  const { one, consumer, version, step } = wish;
  const value = await valueOf(deps, one, version);
  const scene = { deps, one, context };
  await deps.scrubber.withHeld([value], async () =>
    withConsumer(scene, consumer, async (session) => {
      const { digest: expected, number: above } = await expectedContent(scene, consumer, session);
      const { rotationId } = one;
      const { consumerId, target, revision } = consumer;
      const [delivery] = await intendDeliveries(deps.ledger, [
        { rotationId, consumerId, target, revision, version: version.number, step, above },
      ]);
      if (delivery === undefined)
        throw new PermanentError(
          "claim_outdated",
          "The rotation was closed or turned round, or the consumer edited, meanwhile.",
        );
      failpoint(`${step}-one`, "B1");
      const { number } = delivery;
      const about = { credential: one.credentialName, rotation: rotationId, isUndo: step === "restore" };
      const { digest } = await effect(step, async () =>
        atTarget(consumer, async () => session.deliver({ version: version.number, number, value, expected, about })),
      );
      if (!wish.skipsReload) await reload(session, consumer);
      failpoint(`${step}-one`, "B3");
      const filed = filedDigest(deps.observationKeys.newest, digest);
      await recordDeliveries(deps.ledger, [{ delivery, digest: filed }]);
    }),
  );
}

async function reload(session: ConsumerSession, consumer: ConsumerCase): Promise<void> {
  try {
    await session.reload?.();
  } catch (error) {
    if (!(error instanceof RekeyError) || error.code !== "reload_failed") throw error;
    const text = `Consumer ${consumer.name} was not told to reload.`;
    const { consumerId } = consumer;
    const gap = { code: "reload_failed", key: reloadGap(consumer), text, consumerId } as const;
    throw new GapsFoundError("reload_failed", `Consumer ${consumer.name}: ${error.detail}`, [gap]);
  }
}

/** Accepted, it means that a person restarts the consumer. */
export const reloadGap = (consumer: ConsumerCase): string => `reload_failed:${consumer.consumerId}`;

/** Brings the version to every consumer that has not got it yet in this rotation, late ones included. */
export async function deliverMissing(
  deps: StepDeps,
  wish: Pick<DeliveryWish, "one" | "version" | "step"> & {
    readonly consumers: readonly ConsumerCase[];
    readonly acceptedGaps: readonly string[];
  },
  context: ProviderContext,
): Promise<boolean> {
  const missing = wish.consumers.filter(({ delivery }) => delivery?.version !== wish.version.number);
  if (missing.length > 0) await seeWorks({ deps, one: wish.one, context }, wish.version);
  for (const consumer of missing) {
    const skipsReload = wish.acceptedGaps.includes(reloadGap(consumer));
    await deliverTo(deps, { one: wish.one, consumer, version: wish.version, step: wish.step, skipsReload }, context);
  }
  return missing.length > 0;
}
