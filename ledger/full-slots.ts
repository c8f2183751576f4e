import { sql, type Kysely } from "kysely";
import { slotChoiceFor, type SlotChoice } from "../domain/emergency.ts";
import type { Order } from "../domain/order.ts";
import { recordEvents } from "./audit.ts";
import { lockRotations } from "./begin-steps.ts";
import { transact, type Ledger } from "./database.ts";
import { takeTurns, type Turn } from "./operations.ts";
import type { Tables } from "./tables.ts";

/** What whoever declared the credential's emergencies chose for an issuer without room; the newest choice counts. */
export async function readSlotChoice(db: Kysely<Tables>, credentialId: string): Promise<SlotChoice | undefined> {
  const { rows } = await sql<{ when_full: SlotChoice }>`
    SELECT when_full FROM emergencies
    WHERE credential_id = ${credentialId} AND outcome IS NULL AND when_full IS NOT NULL
    ORDER BY created_at DESC, id DESC LIMIT 1`.execute(db);
  return rows[0]?.when_full;
}

/** A version that may still be at its issuer although nobody counts on it: its end was accepted without proof. */
export interface OlderVersion {
  readonly versionId: string;
  readonly number: number;
  readonly handle: string;
  readonly operationKey: string;
  /** Whether this rotation has ended it already. */
  readonly isTried: boolean;
}

export async function readOlder(db: Kysely<Tables>, rotationId: string): Promise<readonly OlderVersion[]> {
  const { rows } = await sql<OlderVersion>`
    SELECT v.id AS "versionId", v.number, v.handle, v.operation_key AS "operationKey", EXISTS (
        SELECT FROM operations o WHERE o.rotation_id = r.id AND o.step = 'revoke'
          AND o.target = ${olderTarget(sql`v.number`)} AND o.state = 'done') AS "isTried"
    FROM rotations r JOIN versions v ON v.credential_id = r.credential_id
    WHERE r.id = ${rotationId} AND v.state = 'accepted-unproven' AND v.handle IS NOT NULL
      AND v.number NOT IN (r.from_version, r.to_version)
    ORDER BY v.number`.execute(db);
  return rows;
}

const olderTarget = (number: ReturnType<typeof sql>) => sql`'older:' || ${number}`;

interface Attempted {
  readonly rotationId: string;
  /** When the attempt that found no room began, as the ledger wrote it: one that began later has the say. */
  readonly lookedAt: string;
}

/** An urgent rotation of which nothing was made or ended, and which nobody has told anything meanwhile. Under its lock. */
const isUntouched = ({ rotationId, lookedAt }: Attempted) => sql`
  r.id = ${rotationId} AND r.looked_at::text = ${lookedAt} AND r.phase = 'reserved' AND r.direction = 'forward'
  AND r.outcome IS NULL AND r.urgent AND NOT r.paused AND r.rotation_order IN ('overlap', 'contain-first')
  AND NOT EXISTS (SELECT FROM commands m WHERE m.rotation_id = r.id AND m.state = 'pending')
  AND NOT EXISTS (SELECT FROM holds h WHERE h.rotation_id = r.id AND h.decided_at IS NULL)`;

/** The turn to end an older version, beside the end of what has leaked; undefined where the attempt has lost its say. */
export function takeOlderTurn(
  ledger: Ledger,
  { number, ...attempt }: Attempted & Pick<OlderVersion, "number">,
): Promise<Turn | undefined> {
  const { rotationId } = attempt;
  return transact(ledger, async (trx) => {
    await lockRotations(trx, [rotationId]);
    const { rows } = await sql`SELECT r.id FROM rotations r WHERE ${isUntouched(attempt)}`.execute(trx);
    if (rows.length === 0) return undefined;
    const [turn] = await takeTurns(trx, [{ rotationId, step: "revoke", target: `older:${number}` }]);
    return turn;
  });
}

/**
 * Ends what has leaked before there is another, since the issuer has room for no more. Only a rotation that has made and
 * ended nothing yet turns to that. False when it has moved meanwhile, a newer attempt has begun, or another choice was made.
 */
export function replaceInPlace(
  ledger: Ledger,
  { credentialId, ...attempt }: Attempted & { readonly credentialId: string },
): Promise<boolean> {
  const { rotationId } = attempt;
  return transact(ledger, async (trx) => {
    await lockRotations(trx, [rotationId]);
    const { rows } = await sql<{ order: Order }>`
      SELECT r.rotation_order AS order FROM rotations r WHERE ${isUntouched(attempt)}`.execute(trx);
    const chosen = await readSlotChoice(trx, credentialId);
    const [row] = rows;
    const choice = chosen === "end-older" ? undefined : chosen;
    if (row === undefined || slotChoiceFor(choice, row.order) !== "in-place") return false;
    await sql`
      UPDATE rotations SET rotation_order = 'contain-in-place', asked_since = clock_timestamp(), attempts = 0,
        last_code = NULL
      WHERE id = ${rotationId}`.execute(trx);
    await sql`
      UPDATE emergencies SET contain = true WHERE rotation_id = ${rotationId} AND outcome IS NULL`.execute(trx);
    const details = { code: "no_free_slot" };
    await recordEvents(trx, [
      { credentialId, rotationId, actor: "system:worker", action: "emergency.in-place", details },
    ]);
    return true;
  });
}
