import { filedDigest } from "../custody/observation-keys.ts";
import { RekeyError } from "../domain/errors.ts";
import { recordHeld } from "../ledger/deliveries.ts";
import { atTarget, withConsumer } from "./reach-consumer.ts";
import { formerOf, refOf } from "./reach.ts";
import type { StepScene } from "./step-frame.ts";

/**
 * Keeps in mind which consumers still hold the former version, as a digest, before its value is destroyed: those that an
 * emergency brought nothing. A later rotation would take what it no longer knows for somebody else's and not overwrite it.
 * One that cannot be looked at now is left: then a person is asked. So is everybody once the value is gone: an attempt that
 * destroyed it and died before it could record that had looked already.
 */
export async function rememberHeld(scene: StepScene): Promise<void> {
  const { deps, one } = scene;
  const former = formerOf(one);
  const left = [...one.consumers, ...one.suspects].filter(
    ({ delivery, heldDigest }) => delivery === undefined && heldDigest === undefined,
  );
  if (left.length === 0 || former.isUnknown) return;
  const value = await deps.custody.get(refOf(one, former));
  if (value === undefined) return;
  await deps.scrubber.withHeld([value], async () => {
    for (const consumer of left) {
      try {
        const seen = await withConsumer(scene, consumer, async (session) =>
          atTarget(consumer, async () => session.observe()),
        );
        if (!seen.holds(value)) continue;
        const digest = filedDigest(deps.observationKeys.newest, seen.digest);
        await recordHeld(deps.ledger.db, { ...consumer, version: former.number, digest });
      } catch (error) {
        if (!(error instanceof RekeyError) || scene.context.signal.aborted) throw error;
      }
    }
  });
}
