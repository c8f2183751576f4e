import { sql } from "kysely";
import type { Code } from "../domain/errors.ts";
import type { Gap } from "../domain/guard.ts";
import { recordEvents } from "./audit.ts";
import { lockRotations } from "./begin-steps.ts";
import { transact, type Ledger } from "./database.ts";
import { openHolds } from "./holds.ts";
import { completeOperations, takeTurns, type Turn } from "./operations.ts";
import { changeVersions } from "./versions.ts";

export interface StepBack {
  readonly rotationId: string;
  readonly credentialId: string;
  /** Under which the old version was enabled again. */
  readonly turn: Turn;
  readonly versionId: string;
  readonly code: Code;
  readonly detail: string;
  readonly gaps: readonly Gap[];
}

/** A turn to enable the old version again; undefined when the rotation is not `disabled` and going forward any more. */
export function takeEnableTurn(ledger: Ledger, rotationId: string): Promise<Turn | undefined> {
  return transact(ledger, async (trx) => {
    await lockRotations(trx, [rotationId]);
    const { rows } = await sql<{ id: string }>`
      SELECT id FROM rotations WHERE id = ${rotationId} AND phase = 'disabled' AND direction = 'forward'`.execute(trx);
    if (rows.length === 0) return undefined;
    // Not the undo's own enable, which must not count as done by this.
    const [turn] = await takeTurns(trx, [{ rotationId, step: "enable", target: "guard" }]);
    return turn;
  });
}

/** The old version works again because a consumer failed without it: back to `drained`, and a person is asked. */
export function stepBackToDrained(ledger: Ledger, back: StepBack): Promise<void> {
  const { rotationId, credentialId, turn, versionId, code, detail, gaps } = back;
  return transact(ledger, async (trx) => {
    await lockRotations(trx, [rotationId]);
    await completeOperations(trx, [turn]);
    const { rows } = await sql<{ id: string }>`
      UPDATE rotations SET phase = 'drained', phase_since = clock_timestamp(), asked_since = clock_timestamp()
      WHERE id = ${rotationId} AND phase = 'disabled' AND direction = 'forward' RETURNING id`.execute(trx);
    if (rows.length === 0) return;
    await changeVersions(trx, [{ versionId, state: "live" }]);
    await recordEvents(trx, [
      { credentialId, rotationId, actor: "system:worker", action: "version.enabled", details: { code } },
    ]);
    await openHolds(trx, [{ rotationId, code, detail, gaps }]);
  });
}
