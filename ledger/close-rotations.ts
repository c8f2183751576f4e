import { sql, type Kysely } from "kysely";
import type { Outcome } from "../domain/order.ts";
import { recordEvents } from "./audit.ts";
import type { Tables } from "./tables.ts";

interface ClosedRow {
  readonly id: string;
  readonly credential_id: string;
  readonly outcome: Outcome;
}

/**
 * Closes rotations, each with its outcome; one that is closed already keeps the outcome it has. Samples are looked at
 * only while it runs: verdicts and evidence say what they showed.
 */
export async function closeRotations(
  trx: Kysely<Tables>,
  closings: readonly { readonly rotationId: string; readonly outcome: Outcome }[],
): Promise<void> {
  const { rows } = await sql<ClosedRow>`
    UPDATE rotations r SET phase = 'closed', outcome = g.outcome, closed_at = clock_timestamp(),
      phase_since = clock_timestamp(), wait_until = NULL
    FROM jsonb_to_recordset(${JSON.stringify(closings)}::jsonb) AS g ("rotationId" text, outcome text)
    WHERE r.id = g."rotationId" AND r.outcome IS NULL
    RETURNING r.id, r.credential_id, r.outcome`.execute(trx);
  const ids = rows.map(({ id }) => id);
  await sql`UPDATE rotation_principals SET open = false WHERE rotation_id = ANY(${ids})`.execute(trx);
  await sql`DELETE FROM starts WHERE rotation_id = ANY(${ids})`.execute(trx);
  await sql`DELETE FROM usage_samples WHERE rotation_id = ANY(${ids})`.execute(trx);
  await recordEvents(
    trx,
    rows.map((row) => ({
      credentialId: row.credential_id,
      rotationId: row.id,
      actor: "system:worker",
      action: "rotation.closed",
      details: { outcome: row.outcome },
    })),
  );
}
