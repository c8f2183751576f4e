import { filedDigest, readFiledDigest } from "../custody/observation-keys.ts";
import { OperatorNeededError, PermanentError, RekeyError } from "../domain/errors.ts";
import type { Gap } from "../domain/guard.ts";
import type { ConsumerCase, RotationCase, VersionCase } from "../ledger/rotation-cases.ts";
import { intendDeliveries, recordDeliveries } from "../ledger/deliveries.ts";
import type { ConsumerSession, Observation } from "../providers/contract/consumer.ts";
import type { ProviderContext } from "../providers/contract/context.ts";
import { failpoint } from "./failpoint.ts";
import { atTarget, withConsumer, type ConsumerScene } from "./reach-consumer.ts";
import { consumerKindOf, effect, valueOf } from "./reach.ts";
import { seeWorks } from "./see-works.ts";
import type { StepDeps } from "./step-deps.ts";
import { GapsFoundError, type StepScene } from "./step-frame.ts";

export interface ExpectedContent {
  readonly digest: string;
  readonly number: number;
  /** There where a person has to say whether the target is to be made new. */
  readonly unused: Gap | undefined;
}

/**
 * What the target may hold now: nothing, what we last put there, or a version of this very rotation. Anything else was
 * put there by somebody else and is not overwritten.
 */
export async function expectedContent(
  scene: Pick<StepScene, "deps" | "one" | "context">,
  consumer: ConsumerCase,
  session: ConsumerSession,
): Promise<ExpectedContent> {
  const { deps, one } = scene;
  const seen = await atTarget(consumer, async () => session.observe());
  const unused = unusedGap(deps, consumer, seen);
  const found = { digest: seen.digest, number: numberOn(one, consumer, seen), unused };
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
  const number = one.from?.number ?? one.to.number;
  throw new OperatorNeededError(
    "target_drift",
    consumer.heldDigest === undefined
      ? `${lead} It is another one than version ${number}, so that nothing there runs on it. Put version ${number} back there by hand, or correct the place in its manifest and apply that; then retry.`
      : `${lead} Put version ${number} back there by hand, or register the consumer anew; then retry.`,
  );
}

/**
 * Nothing that rekey never wrote and that is empty can be what an application runs on: most likely its place is
 * misspelt, and reading back what a delivery makes there would pass for evidence.
 */
function unusedGap(deps: Pick<StepDeps, "catalog">, consumer: ConsumerCase, seen: Observation): Gap | undefined {
  const { consumerId, name, target, kind, heldDigest, isTouched, revision } = consumer;
  if (!seen.isEmpty || heldDigest !== undefined || isTouched || consumerKindOf(deps, kind).isNotice) return undefined;
  return {
    code: "target_unused",
    // Edited, it may lead elsewhere: what was accepted of the former place says nothing of that one.
    key: `target_unused:${consumerId}:${revision}`,
    text: `Consumer ${name}: ${target} does not exist, or holds none of its keys, so that no application can be running on it. Correct the place in its manifest, apply that and retry; or accept, if it is to be made new.`,
    consumerId,
  };
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
  /** Of them, that a person restarts the consumer instead of us, or that its target is to be made new. */
  readonly acceptedGaps: readonly string[];
}

/**
 * Puts a version where one consumer reads it, tells it to reload, and records that. The intent and its number exist
 * before the target is touched; a repeat is harmless.
 */
export async function deliverTo(deps: StepDeps, wish: DeliveryWish, context: ProviderContext): Promise<void> {
  const { one, consumer, version, step } = wish;
  if (version.isCompromised)
    throw new PermanentError(
      "version_compromised",
      `Version ${version.number} of ${one.credentialName} has leaked, and was to be brought to consumer ${consumer.name}. Nothing was delivered.`,
    );
  const value = await valueOf(deps, one, version);
  const scene = { deps, one, context };
  await deps.scrubber.withHeld([value], async () =>
    withConsumer(scene, consumer, async (session) => {
      const { digest: expected, number: above, unused } = await expectedContent(scene, consumer, session);
      if (unused !== undefined && step === "deliver" && !wish.acceptedGaps.includes(unused.key))
        throw new GapsFoundError("target_unused", unused.text, [unused]);
      const { rotationId } = one;
      const { consumerId, target, revision } = consumer;
      const [delivery] = await intendDeliveries(deps.ledger, [
        { rotationId, consumerId, target, revision, version: version.number, step, above },
      ]);
      if (delivery === undefined)
        throw new PermanentError(
          "claim_outdated",
          "Meanwhile the rotation was closed or turned round, the consumer edited or suspected, or the version leaked.",
        );
      failpoint(`${step}-one`, "B1");
      const { number } = delivery;
      const about = { credential: one.credentialName, rotation: rotationId, isUndo: step === "restore" };
      const { digest } = await effect(step, async () =>
        atTarget(consumer, async () => session.deliver({ version: version.number, number, value, expected, about })),
      );
      if (!wish.acceptedGaps.includes(reloadGap(consumer))) await reload(session, consumer);
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
const reloadGap = (consumer: ConsumerCase): string => `reload_failed:${consumer.consumerId}`;

/**
 * Brings the version to every consumer that has not got it yet in this rotation, late ones included. What has leaked is
 * brought to nobody. Where it hurries, one consumer that cannot be reached keeps no other from having it.
 */
export async function deliverMissing(
  deps: StepDeps,
  wish: Omit<DeliveryWish, "consumer"> & { readonly consumers: readonly ConsumerCase[] },
  context: ProviderContext,
): Promise<boolean> {
  const { consumers, ...each } = wish;
  if (wish.version.isCompromised) return false;
  const missing = consumers.filter(({ delivery }) => delivery?.version !== wish.version.number);
  if (missing.length > 0) await seeWorks({ deps, one: wish.one, context }, wish.version);
  const failures: unknown[] = [];
  for (const consumer of missing) {
    try {
      await deliverTo(deps, { ...each, consumer }, context);
    } catch (error) {
      if (!wish.one.urgent || context.signal.aborted) throw error;
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return missing.length > 0;
}
