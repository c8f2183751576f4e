import { lockRotations } from "../ledger/begin-steps.ts";
import { closeRotations } from "../ledger/close-rotations.ts";
import { transact } from "../ledger/database.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

/** Everything is as it was before the rotation. */
export async function closeUndone({ deps, one }: StepScene): Promise<StepResult> {
  const outcome = one.to.state === "accepted-unproven" ? "closed-unproven" : "undone";
  await transact(deps.ledger, async (trx) => {
    await lockRotations(trx, [one.rotationId]);
    await closeRotations(trx, [{ rotationId: one.rotationId, outcome }]);
  });
  return { does: "answer", answer: { now: "over" } };
}
