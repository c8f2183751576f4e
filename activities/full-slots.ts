import { slotChoiceFor } from "../domain/emergency.ts";
import { OperatorNeededError } from "../domain/errors.ts";
import { isOneSlot } from "../domain/order.ts";
import { transact } from "../ledger/database.ts";
import { readOlder, readSlotChoice, replaceInPlace, type OlderVersion } from "../ledger/full-slots.ts";
import { completeOperations, takeTurns } from "../ledger/operations.ts";
import { turnOf } from "./turn-of.ts";
import { effect, withIssuer } from "./reach.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

/** That the issuer has no room is all that is in the way. */
export const isRoomMissing = (error: unknown): boolean =>
  error instanceof OperatorNeededError && error.code === "no_free_slot";

/**
 * Does what was chosen for an issuer without room for another version, where something has leaked and nothing was ended yet.
 * Undefined: a person has to be asked.
 */
export async function makeRoom(scene: StepScene): Promise<StepResult | undefined> {
  const { deps, one } = scene;
  const { rotationId, credentialId, order, phase, urgent, lookedAt } = one;
  if (!urgent || phase !== "reserved" || isOneSlot(order)) return undefined;
  const chosen = await readSlotChoice(deps.ledger.db, credentialId);
  if (chosen === "end-older" && (await endOlder(scene))) return again;
  // Nothing older is left, or somebody's key that rekey knows nothing of takes the place: nobody chose to end that.
  if (slotChoiceFor(chosen === "end-older" ? undefined : chosen, order) === "hold") return undefined;
  const isTurned = await replaceInPlace(deps.ledger, { rotationId, credentialId, lookedAt });
  return isTurned ? again : { does: "wait", waitMs: 0 };
}

const again: StepResult = { does: "answer", answer: { now: "again" } };

/** Ends by their exact handles the versions that nobody counts on; each once. False when there was none to end. */
async function endOlder(scene: StepScene): Promise<boolean> {
  const { deps, one, context } = scene;
  const older = (await readOlder(deps.ledger.db, one.rotationId)).filter(({ isTried }) => !isTried);
  if (older.length === 0) return false;
  await withIssuer(deps, one, context, async (session) => {
    for (const { number, handle, operationKey } of older) {
      const turn = turnOf(await takeTurn(scene, number));
      const request = { handle, operationKey, claim: turn.claim };
      await effect("end-older", async () => session.revoke(request));
      await session.endSessions?.(request);
      await transact(deps.ledger, async (trx) => completeOperations(trx, [turn]));
    }
  });
  return true;
}

async function takeTurn({ deps, one: { rotationId } }: StepScene, number: OlderVersion["number"]) {
  // Beside the end of what has leaked.
  const intent = { rotationId, step: "revoke", target: `older:${number}` } as const;
  const [turn] = await transact(deps.ledger, async (trx) => takeTurns(trx, [intent]));
  return turn;
}
