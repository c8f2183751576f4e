import { OperatorNeededError } from "../domain/errors.ts";
import { readAcceptedGaps } from "../ledger/holds.ts";
import type { ConsumerCase } from "../ledger/rotation-cases.ts";
import { expectedContent, openConsumer } from "./deliver-to.ts";
import { withIssuer } from "./reach.ts";
import type { StepScene, StepWork } from "./step-frame.ts";

/** Looks at everything that would stop the rotation later: reach, rights, room, names, targets. Changes nothing. */
export const preflight: StepWork = async (scene) => {
  const { deps, one, context } = scene;
  const findings = await withIssuer(deps, one, context, async (session) =>
    session.preflight({ live: one.keep, instance: one.instance, credential: one.credentialId }),
  );
  const [first, ...others] = findings;
  if (first !== undefined) {
    const text = [first, ...others].map(({ detail, mend }) => (mend === undefined ? detail : `${detail}\n${mend}`));
    throw new OperatorNeededError(first.code, text.join("\n"));
  }
  const accepted = await readAcceptedGaps(deps.ledger.db, one.rotationId);
  const troubles: OperatorNeededError[] = [];
  for (const consumer of one.consumers) troubles.push(...(await troublesAt(scene, consumer, accepted)));
  const [worst] = troubles;
  // All of them at once, so that nobody mends one target only to be told of the next.
  if (worst !== undefined)
    throw new OperatorNeededError(worst.code, [...new Set(troubles.map(({ detail }) => detail))].join("\n"));
  return { does: "finish", stays: true };
};

async function troublesAt(
  { deps, one, context }: StepScene,
  consumer: ConsumerCase,
  accepted: readonly string[],
): Promise<readonly OperatorNeededError[]> {
  const session = await openConsumer(deps, consumer, context);
  const findings = (await session.preflight()).filter(({ code }) => !accepted.includes(code));
  const lead = `Consumer ${consumer.name} (${consumer.target})`;
  if (findings.length > 0)
    return findings.map(({ code, detail }) => new OperatorNeededError(code, `${lead}: ${detail}`));
  try {
    await expectedContent(deps, one, consumer, session);
    return [];
  } catch (error) {
    if (error instanceof OperatorNeededError) return [error];
    throw error;
  }
}
