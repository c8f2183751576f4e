import { OperatorNeededError } from "../domain/errors.ts";
import type { Gap } from "../domain/guard.ts";
import { contains } from "../domain/order.ts";
import { readAcceptedGaps } from "../ledger/holds.ts";
import { learnIdentity } from "../ledger/learn-identity.ts";
import type { ConsumerCase, RotationCase } from "../ledger/rotation-cases.ts";
import type { Finding, IssuerSession } from "../providers/contract/issuer.ts";
import type { Value } from "../providers/contract/value.ts";
import { waitOrHold } from "./ask-and-judge.ts";
import { expectedContent } from "./deliver-to.ts";
import { isOnlyRoom, makeRoom } from "./full-slots.ts";
import { changedGaps } from "./registration-gaps.ts";
import { askLastUse } from "./last-use.ts";
import { withConsumer } from "./reach-consumer.ts";
import { formerOf, refOf, valueOf, withIssuer } from "./reach.ts";
import type { StepScene, StepWork } from "./step-frame.ts";

/** Looks at everything that would stop the rotation later: reach, rights, room, names, targets. Changes nothing. */
export const preflight: StepWork = async (scene) => {
  const { deps, one, context } = scene;
  const { from } = one;
  const today = from === undefined ? undefined : await deps.custody.get(refOf(one, from));
  const { findings, candidate } = await withIssuer(deps, { ...one, mayMeet: true }, context, async (session) => {
    if (one.connection.identity === undefined) await meetServer(scene, session);
    const found = await deps.scrubber.withHeld(today === undefined ? [] : [today], async () =>
      ask(one, session, today),
    );
    if (found.findings.length === 0 && !contains(one.order)) await askLastUse(deps, one, session, from?.handle);
    return found;
  });
  const [first, ...others] = findings;
  if (first !== undefined) {
    // Once what has leaked is ended there is room.
    if (isOnlyRoom(findings) && one.order === "contain-in-place") return { does: "finish", stays: true };
    const room = isOnlyRoom(findings) ? await makeRoom(scene) : undefined;
    if (room !== undefined) return room;
    const text = [first, ...others].map(({ detail, mend }) => (mend === undefined ? detail : `${detail}\n${mend}`));
    throw new OperatorNeededError(first.code, text.join("\n"));
  }
  // What is ended before anybody has the new version waits for no consumer's target.
  if (contains(one.order)) return { does: "finish", stays: true };
  const accepted = await readAcceptedGaps(deps.ledger.db, one.rotationId);
  const troubles: OperatorNeededError[] = [];
  const unused: Gap[] = [];
  // First what the delivery would write, then what an undo would write over it.
  const values = [candidate, today].filter((value) => value !== undefined);
  await deps.scrubber.withHeld(values, async () => {
    for (const consumer of one.consumers) {
      const seen = await lookAt(scene, consumer, values, accepted);
      troubles.push(...seen.troubles);
      unused.push(...seen.unused);
    }
  });
  const [worst] = troubles;
  // All of them at once, so that nobody mends one target only to be told of the next.
  if (worst !== undefined) {
    const details = [...troubles.map(({ detail }) => detail), ...unused.map(({ text }) => text)];
    throw new OperatorNeededError(worst.code, [...new Set(details)].join("\n"));
  }
  const asked = unused.filter(({ key }) => !accepted.includes(key));
  for (const gaps of [asked, changedGaps(one)])
    if (gaps.length > 0) return waitOrHold(scene, gaps, Number.POSITIVE_INFINITY);
  return { does: "finish", stays: true };
};

/** What the issuer finds; and where rekey chooses the values, one like the candidate's, of the login that it would get. */
async function ask(
  { instance, credentialId: credential, keep, from, to, order }: RotationCase,
  session: IssuerSession,
  today: Value | undefined,
): Promise<{ readonly findings: readonly Finding[]; readonly candidate?: Value }> {
  const handle = from?.handle;
  const former = today === undefined || handle === undefined ? {} : { former: { handle, value: today } };
  const { operationKey, number: version } = to;
  // In place there is no way back before the new version is made: all that it needs is asked for.
  const isHurried = contains(order) && order !== "contain-in-place";
  const asked = { live: keep, instance, credential, operationKey, ...former };
  const findings = await session.preflight({ ...asked, hurries: isHurried });
  // For the consumers' targets, which nobody looks at then.
  if (findings.length > 0 || session.choose === undefined || isHurried) return { findings };
  return { findings, candidate: (await session.choose({ operationKey, version, keep })).value };
}

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

interface Seen {
  readonly troubles: readonly OperatorNeededError[];
  readonly unused: readonly Gap[];
}

async function lookAt(
  scene: StepScene,
  consumer: ConsumerCase,
  values: readonly Value[],
  accepted: readonly string[],
): Promise<Seen> {
  try {
    return await withConsumer(scene, consumer, async (session) => {
      const findings = (await session.preflight(values)).filter(({ code }) => !accepted.includes(code));
      const lead = `Consumer ${consumer.name} (${consumer.target})`;
      const troubles = findings.map(({ code, detail }) => new OperatorNeededError(code, `${lead}: ${detail}`));
      if (troubles.length > 0) return { troubles, unused: [] };
      const { unused } = await expectedContent(scene, consumer, session);
      return { troubles, unused: unused === undefined ? [] : [unused] };
    });
  } catch (error) {
    if (error instanceof OperatorNeededError) return { troubles: [error], unused: [] };
    throw error;
  }
}
