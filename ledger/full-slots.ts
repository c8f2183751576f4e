import { sql, type Kysely } from "kysely";
import type { SlotChoice } from "../domain/emergency.ts";
import { recordEvents } from "./audit.ts";
import { lockRotations } from "./begin-steps.ts";
import { transact, type Ledger } from "./database.ts";
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
  readonly number: number;
  readonly handle: string;
  readonly operationKey: string;
  /** Whether this rotation has ended it already. */
  readonly isTried: boolean;
}

export async function readOlder(db: Kysely<Tables>, rotationId: string): Promise<readonly OlderVersion[]> {
  const { rows } = await sql<OlderVersion>`
    SELECT v.number, v.handle, v.operation_key AS "operationKey", EXISTS (
        SELECT FROM operations o WHERE o.rotation_id = r.id AND o.step = 'revoke'
          AND o.target = ${olderTarget(sql`v.number`)} AND o.state = 'done') AS "isTried"
    FROM rotations r JOIN versions v ON v.credential_id = r.credential_id
    WHERE r.id = ${rotationId} AND v.state = 'accepted-unproven' AND v.handle IS NOT NULL
      AND v.number NOT IN (r.from_version, r.to_version)
    ORDER BY v.number`.execute(db);
  return rows;
}

const olderTarget = (number: ReturnType<typeof sql>) => sql`'older:' || ${number}`;

export interface Refitted {
  readonly rotationId: string;
  readonly credentialId: string;
  /** When the attempt that found no room began, as the ledger wrote it: one that began later has the say. */
  readonly lookedAt: string;
}

/**
 * Ends what has leaked before there is another, since the issuer has room for no more. Only a rotation that has ended
 * nothing yet turns to that. False when it has moved meanwhile or a newer attempt has begun.
 */
export function replaceInPlace(ledger: Ledger, { rotationId, credentialId, lookedAt }: Refitted): Promise<boolean> {
  return transact(ledger, async (trx) => {
    await lockRotations(trx, [rotationId]);
    const { rows } = await sql`
      UPDATE rotations SET rotation_order = 'contain-in-place', asked_since = clock_timestamp(), attempts = 0,
        last_code = NULL
      WHERE id = ${rotationId} AND phase = 'reserved' AND direction = 'forward' AND outcome IS NULL AND urgent
        AND rotation_order IN ('overlap', 'contain-first') AND looked_at::text = ${lookedAt} RETURNING id`.execute(trx);
    if (rows.length === 0) return false;
    await sql`
      UPDATE emergencies SET contain = true WHERE rotation_id = ${rotationId} AND outcome IS NULL`.execute(trx);
    await recordEvents(trx, [
      {
        credentialId,
        rotationId,
        actor: "system:worker",
        action: "rotation.in-place",
        details: { code: "no_free_slot" },
      },
    ]);
    return true;
  });
}
