import { sql } from "kysely";
import type { Order, Phase } from "../domain/order.ts";
import { recordEvents } from "./audit.ts";
import { lockRotations } from "./begin-steps.ts";
import { transact, type Ledger } from "./database.ts";
import { changeVersions, type VersionChange } from "./versions.ts";

export interface GivenUp {
  readonly rotationId: string;
  readonly credentialId: string;
  /** In which the proof was asked for. */
  readonly phase: Phase;
  /** When the attempt began, as the ledger wrote it: one that began later has the say. */
  readonly lookedAt: string;
  /** What becomes of the version whose death nobody has seen. */
  readonly version: VersionChange;
  /** How the rotation goes on. */
  readonly next: { readonly order: Order; readonly phase: Phase };
}

/** The rotation goes on without the proof that a person has given up. False when it has moved meanwhile. */
export function giveUpProof(ledger: Ledger, given: GivenUp): Promise<boolean> {
  const { rotationId, credentialId, phase, lookedAt, version, next } = given;
  return transact(ledger, async (trx) => {
    await lockRotations(trx, [rotationId]);
    const { rows } = await sql`
      UPDATE rotations SET rotation_order = ${next.order}, phase = ${next.phase}, phase_since = clock_timestamp(),
        asked_since = clock_timestamp(), attempts = 0, last_code = NULL, wait_until = NULL
      WHERE id = ${rotationId} AND phase = ${phase} AND direction = 'forward' AND outcome IS NULL AND accepted_unproven
        AND looked_at::text = ${lookedAt} RETURNING id`.execute(trx);
    if (rows.length === 0) return false;
    await changeVersions(trx, [version]);
    await recordEvents(trx, [{ credentialId, rotationId, actor: "system:worker", action: "emergency.unproven" }]);
    return true;
  });
}
