import { slotChoiceFor } from "../domain/emergency.ts";
import { OperatorNeededError, RekeyError, TransientError } from "../domain/errors.ts";
import { isOneSlot } from "../domain/order.ts";
import { transact } from "../ledger/database.ts";
import { readOlder, readSlotChoice, replaceInPlace, takeOlderTurn, type OlderVersion } from "../ledger/full-slots.ts";
import { completeOperations } from "../ledger/operations.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";
import type { Finding, IssuerSession } from "../providers/contract/issuer.ts";
import { effect, refOf, withIssuer } from "./reach.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

/** That the issuer has no room is all that is in the way. */
export const isRoomMissing = (error: unknown): boolean =>
  error instanceof OperatorNeededError && error.code === "no_free_slot";

/** Nothing of what was found is left once the former version has ended. */
export const isOnlyRoom = (findings: readonly Finding[]): boolean =>
  findings.length > 0 && findings.every(({ endsWithFormer }) => endsWithFormer === true);

/**
 * Does what was chosen for an issuer without room for another version, where something has leaked, and nothing was made or
 * ended yet. Undefined: a person has to be asked.
 */
export async function makeRoom(scene: StepScene): Promise<StepResult | undefined> {
  const { deps, one } = scene;
  const { rotationId, credentialId, order, phase, urgent, lookedAt, to } = one;
  if (!urgent || phase !== "reserved" || isOneSlot(order) || to.handle !== undefined) return undefined;
  const chosen = await readSlotChoice(deps.ledger.db, credentialId);
  if (chosen === "end-older" && (await endOlder(scene))) return again;
  // Nothing older is left, or somebody's key that rekey knows nothing of takes the place: nobody chose to end that.
  if (slotChoiceFor(chosen === "end-older" ? undefined : chosen, order) === "hold") return undefined;
  // Once what has leaked is ended there is no way back: all that could keep the next one from being made is asked for before.
  if (!isOnlyRoom(await lookWithout(scene))) return undefined;
  const isTurned = await replaceInPlace(deps.ledger, { rotationId, credentialId, lookedAt });
  return isTurned ? again : { does: "wait", waitMs: 0 };
}

const again: StepResult = { does: "answer", answer: { now: "again" } };

/** All that the issuer finds, and not only what is in the way of an end that hurries. */
async function lookWithout({ deps, one, context }: StepScene): Promise<readonly Finding[]> {
  const { instance, credentialId: credential, keep: live, to } = one;
  return withIssuer(deps, { ...one, mayMeet: true }, context, async (session) =>
    session.preflight({ live, instance, credential, operationKey: to.operationKey }),
  );
}

/**
 * Ends by their exact handles the versions that nobody counts on and that are still let in by their own value: what somebody else
 * has put in their place since is somebody's. Each is tried once. False when there was none to end.
 */
async function endOlder(scene: StepScene): Promise<boolean> {
  const { deps, one, context } = scene;
  const older = (await readOlder(deps.ledger.db, one.rotationId)).filter(({ isTried }) => !isTried);
  let isAny = false;
  for (const version of older)
    isAny =
      (await withIssuer(deps, { ...one, mayMeet: true }, context, async (session) =>
        endOne(scene, session, version),
      )) || isAny;
  return isAny;
}

async function endOne(scene: StepScene, session: IssuerSession, version: OlderVersion): Promise<boolean> {
  const { deps, one } = scene;
  const { number, handle, operationKey } = version;
  if (!(await isLetIn(scene, session, version))) return false;
  const turn = await takeOlderTurn(deps.ledger, { rotationId: one.rotationId, lookedAt: one.lookedAt, number });
  if (turn === undefined) return false;
  const request = { handle, operationKey, claim: turn.claim };
  try {
    await effect("end-older", async () => session.revoke(request));
    await session.endSessions?.(request);
  } catch (error) {
    // Another has its place by now: the next choice is taken.
    if (error instanceof RekeyError && !(error instanceof TransientError)) return false;
    throw error;
  }
  await transact(deps.ledger, async (trx) => completeOperations(trx, [turn]));
  return true;
}

async function isLetIn({ deps, one }: StepScene, session: IssuerSession, version: OlderVersion): Promise<boolean> {
  const value = await deps.custody.get(refOf(one, asCase(one, version)));
  if (value === undefined) return false;
  const { handle } = version;
  const { verdict } = await deps.scrubber.withHeld([value], async () => session.probe({ handle, value }));
  return verdict === "accepted";
}

/** As far as custody has to know. */
const asCase = ({ to }: RotationCase, { versionId, number }: OlderVersion) => ({ ...to, versionId, number });
