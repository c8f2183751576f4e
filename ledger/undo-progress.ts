import { sql, type Kysely } from "kysely";
import type { Phase, Step } from "../domain/order.ts";
import type { UndoAction } from "../domain/undo.ts";
import type { Tables } from "./tables.ts";

/** An intent of a rotation and whether its effect is recorded. */
export interface OperationRow {
  readonly step: Step | UndoAction["does"];
  /** A consumer's id where the step goes to consumers; else empty. */
  readonly target: string;
  readonly isDone: boolean;
}

/** The intents of a rotation: what it did or began, from which its undo is derived. */
export async function readOperations(db: Kysely<Tables>, rotationId: string): Promise<readonly OperationRow[]> {
  const { rows } = await sql<{ step: OperationRow["step"]; target: string; is_done: boolean }>`
    SELECT step, target, state = 'done' AS is_done FROM operations WHERE rotation_id = ${rotationId}`.execute(db);
  return rows.map(({ step, target, is_done: isDone }) => ({ step, target, isDone }));
}

/** Shows people how far an undo has come back, and gives what is taken back next its own time. */
export async function setUndoPhase(db: Kysely<Tables>, rotationId: string, phase: Phase): Promise<void> {
  await sql`
    UPDATE rotations SET phase = ${phase}, phase_since = clock_timestamp(), asked_since = clock_timestamp()
    WHERE id = ${rotationId} AND direction = 'undo' AND outcome IS NULL AND phase <> ${phase}`.execute(db);
}
