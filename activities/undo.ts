import { PermanentError } from "../domain/errors.ts";
import { stepFor } from "../domain/order.ts";
import { undoActions, type UndoAction } from "../domain/undo.ts";
import { lockRotations } from "../ledger/begin-steps.ts";
import { transact } from "../ledger/database.ts";
import { readAcceptedGaps } from "../ledger/holds.ts";
import { completeOperations, takeTurns, type Turn } from "../ledger/operations.ts";
import { rotationState } from "../ledger/rotation-state.ts";
import { readStanding } from "../ledger/standing-attempts.ts";
import { changeVersions, setCurrent } from "../ledger/versions.ts";
import { readOperations, setUndoPhase, type OperationRow } from "../ledger/undo-progress.ts";
import { failpoint } from "./failpoint.ts";
import type { StepResult, StepScene, StepWork } from "./step-frame.ts";
import { abandon, cutBack } from "./undo-candidate.ts";
import { demote, enable } from "./undo-former.ts";
import { forget, guardCandidate, proveRefused } from "./undo-death.ts";
import { restore, restoreGap } from "./undo-deliveries.ts";
import { closeUndone } from "./undo-close.ts";

/**
 * What one action does. It answers `finish` when it is done: its operation is then recorded under the turn it acted
 * with, or at once where it only looked.
 */
export type UndoWork = (scene: StepScene, action: UndoAction) => Promise<StepResult>;

const works: Record<UndoAction["does"], UndoWork> = {
  restore,
  demote,
  enable,
  "guard-candidate": guardCandidate,
  abandon,
  "cut-back": cutBack,
  "prove-refused": proveRefused,
  forget,
  unstage: forget,
  close: closeUndone,
};

/**
 * Takes back one thing more. What there is to take back is derived each time from the intents in the ledger, which were
 * stored before anything was done; so no crash can hide an effect from it.
 */
export const undo: StepWork = async (scene) => {
  const { deps, one } = scene;
  const { rotationId } = one;
  const action = await nextAction(scene);
  // Each phase has its own time to be patient in: the case is read anew in the one that is taken back next.
  if (action.phase !== one.phase) {
    await setUndoPhase(deps.ledger.db, rotationId, action.phase);
    return { does: "wait", waitMs: 0 };
  }
  const step = action.does;
  failpoint(`undo-${step}`, "B0");
  // Restoring has an intent for each consumer, closing none: it ends the rotation.
  if (step === "restore" || step === "close") {
    const result = await works[step](scene, action);
    failpoint(`undo-${step}`, "B4");
    return result;
  }
  const turn = await takeTurn(scene, step);
  if (turn === undefined) return { does: "wait", waitMs: 0 };
  failpoint(`undo-${step}`, "B1");
  const result = await works[step]({ ...scene, turn }, action);
  if (result.does !== "finish") return result;
  failpoint(`undo-${step}`, "B3");
  const { versions = [], current } = result;
  await transact(deps.ledger, async (trx) => {
    await lockRotations(trx, [rotationId]);
    await completeOperations(trx, [turn]);
    await changeVersions(trx, versions);
    await setCurrent(trx, current === undefined ? [] : [current]);
  });
  failpoint(`undo-${step}`, "B4");
  return { does: "wait", waitMs: 0 };
};

/** Undefined when a newer attempt has begun: its turn is not taken from it. */
async function takeTurn({ deps, one }: StepScene, step: UndoAction["does"]): Promise<Turn | undefined> {
  const { rotationId, lookedAt } = one;
  return transact(deps.ledger, async (trx) => {
    await lockRotations(trx, [rotationId]);
    const standing = await readStanding(trx, [{ rotationId, direction: "undo", lookedAt }]);
    return standing.size === 0 ? undefined : (await takeTurns(trx, [{ rotationId, step }]))[0];
  });
}

async function nextAction({ deps, one }: StepScene): Promise<UndoAction> {
  const { rotationId, order, phase, consumers } = one;
  const operations = await readOperations(deps.ledger.db, rotationId);
  const conditions = (await rotationState(deps.ledger.db, [rotationId])).get(rotationId)?.conditions ?? {};
  const next = stepFor(order, phase);
  const touched = consumers.filter(({ isTouched }) => isTouched).map(({ consumerId }) => consumerId);
  const begunNext = operations.some(({ step }) => step === next);
  const actions = undoActions({ order, phase, touched, conditions, begunNext });
  if (actions === undefined)
    throw new PermanentError("internal", "The rotation is past its point of no return and cannot be undone.");
  const left = await readAcceptedGaps(deps.ledger.db, rotationId);
  const action = actions.find((each) => !isDone(each, operations, left));
  if (action === undefined) throw new PermanentError("internal", "An undo has nothing left to do and did not close.");
  return action;
}

function isDone(action: UndoAction, operations: readonly OperationRow[], acceptedGaps: readonly string[]): boolean {
  const has = (step: OperationRow["step"], target = ""): boolean =>
    operations.some((each) => each.step === step && each.target === target && each.isDone);
  if (action.does === "restore")
    return (action.consumers ?? []).every((id) => has("restore", id) || acceptedGaps.includes(restoreGap(id)));
  return has(action.does);
}
