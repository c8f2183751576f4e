import { isProofGivenUp } from "../domain/order.ts";
import { lockRotations } from "../ledger/begin-steps.ts";
import { closeRotations } from "../ledger/close-rotations.ts";
import { transact } from "../ledger/database.ts";
import { completeOperations } from "../ledger/operations.ts";
import { turnOf } from "./turn-of.ts";
import { effect, formerOf, refOf } from "./reach.ts";
import { rememberHeld } from "./remember-held.ts";
import type { StepWork } from "./step-frame.ts";

/** Destroys the value of the version that was proven dead, and closes the rotation. What was not is kept, to be asked about. */
export const close: StepWork = async (scene) => {
  const { deps, one, turn } = scene;
  const former = formerOf(one);
  const isUnproven = isProofGivenUp(one.order);
  if (one.suspects.length > 0 || one.to.isCompromised) await rememberHeld(scene);
  if (!isUnproven) await effect("close", async () => deps.custody.forget(refOf(one, former)));
  await transact(deps.ledger, async (trx) => {
    await lockRotations(trx, [one.rotationId]);
    await completeOperations(trx, [turnOf(turn)]);
    await closeRotations(trx, [{ rotationId: one.rotationId, outcome: isUnproven ? "closed-unproven" : "proven" }]);
  });
  return { does: "answer", answer: { now: "over" } };
};
