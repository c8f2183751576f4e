import { OperatorNeededError } from "../domain/errors.ts";
import { readAcceptedGaps } from "../ledger/holds.ts";
import { learnIdentity } from "../ledger/learn-identity.ts";
import type { ConsumerCase } from "../ledger/rotation-cases.ts";
import type { IssuerSession } from "../providers/contract/issuer.ts";
import { expectedContent, openConsumer } from "./deliver-to.ts";
import { formerOf, valueOf, withIssuer } from "./reach.ts";
import type { StepScene, StepWork } from "./step-frame.ts";

/** Looks at everything that would stop the rotation later: reach, rights, room, names, targets. Changes nothing. */
export const preflight: StepWork = async (scene) => {
  const { deps, one, context } = scene;
  const findings = await withIssuer(deps, { ...one, mayMeet: true }, context, async (session) => {
    if (one.connection.identity === undefined) await meetServer(scene, session);
    return session.preflight({ live: one.keep, instance: one.instance, credential: one.credentialId });
  });
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

/** The server behind an edited address is ours where the credential's value of today is accepted; then it is known. */
async function meetServer({ deps, one }: StepScene, session: IssuerSession): Promise<void> {
  const { id, name, revision } = one.connection;
  const former = formerOf(one);
  const { handle, number } = former;
  const identity = await session.identify();
  const value = await valueOf(deps, one, former);
  const answer = await deps.scrubber.withHeld([value], async () => session.probe({ handle, value }));
  if (answer.verdict !== "accepted")
    throw new OperatorNeededError(
      "issuer_identity_changed",
      `Connection ${name} was edited and reaches a server that rekey has not seen, which does not let version ${number} of ${one.credentialName} in (${answer.code}). Nothing was done there. Point it at the right one, then retry.`,
    );
  const { rotationId, credentialId } = one;
  await learnIdentity(deps.ledger, { rotationId, credentialId, connectionId: id, revision, identity });
}

async function troublesAt(
  scene: StepScene,
  consumer: ConsumerCase,
  accepted: readonly string[],
): Promise<readonly OperatorNeededError[]> {
  const session = await openConsumer(scene.deps, consumer, scene.context);
  const findings = (await session.preflight()).filter(({ code }) => !accepted.includes(code));
  const lead = `Consumer ${consumer.name} (${consumer.target})`;
  if (findings.length > 0)
    return findings.map(({ code, detail }) => new OperatorNeededError(code, `${lead}: ${detail}`));
  try {
    await expectedContent(scene, consumer, session);
    return [];
  } catch (error) {
    if (error instanceof OperatorNeededError) return [error];
    throw error;
  }
}
