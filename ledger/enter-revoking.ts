import { sql } from "kysely";
import type { GuardVerdict } from "../domain/guard.ts";
import type { Order, Phase } from "../domain/order.ts";
import { lockRotations } from "./begin-steps.ts";
import { transact, type Ledger } from "./database.ts";
import { recordVerdict } from "./evidence-rows.ts";
import { finishStepsIn } from "./finish-steps.ts";

export interface ClearVerdict {
  readonly rotationId: string;
  readonly credentialId: string;
  readonly order: Order;
  /** In which it was judged. */
  readonly phase: Phase;
  readonly verdict: GuardVerdict;
  /** The consumers that the verdict is about, with their revisions. */
  readonly judged: Readonly<Record<string, number>>;
  /** When the attempt that judged began, as the ledger wrote it: one that began later has the say. */
  readonly lookedAt: string;
}

/**
 * Crosses the point of no return: the clear verdict and the phase `revoking` are one transaction under the credential's
 * row lock, which registering and retiring a consumer take too. False when the consumers are no longer those that were
 * judged, a person has said something meanwhile, or a newer attempt has begun; then nothing is recorded.
 */
export function enterRevoking(ledger: Ledger, clear: ClearVerdict): Promise<boolean> {
  const { rotationId, credentialId, order, phase, verdict, judged, lookedAt } = clear;
  return transact(ledger, async (trx) => {
    await lockRotations(trx, [rotationId]);
    const { rows } = await sql<{ id: string; revision: number }>`
      SELECT id, revision FROM consumers WHERE credential_id = ${credentialId} AND retired_at IS NULL`.execute(trx);
    const isSame =
      rows.length === Object.keys(judged).length && rows.every(({ id, revision }) => judged[id] === revision);
    const { rows: free } = await sql<{ id: string }>`
      SELECT r.id FROM rotations r
      WHERE r.id = ${rotationId} AND r.direction = 'forward' AND NOT r.paused AND r.looked_at::text = ${lookedAt}
        AND NOT EXISTS (SELECT FROM commands m WHERE m.rotation_id = r.id AND m.state = 'pending')
        AND NOT EXISTS (SELECT FROM holds h WHERE h.rotation_id = r.id AND h.decided_at IS NULL)`.execute(trx);
    if (!isSame || !verdict.clear || free.length === 0) return false;
    await recordVerdict(trx, { rotationId, purpose: "revoke", verdict });
    await finishStepsIn(trx, [{ rotationId, order, from: phase }]);
    return true;
  });
}
