import { sql, type Kysely } from "kysely";
import type { Outcome } from "../domain/order.ts";
import { defaultPolicy } from "../domain/policy.ts";
import { recordEvents } from "./audit.ts";
import { settleEmergencies } from "./settle-emergencies.ts";
import type { Tables } from "./tables.ts";

interface ClosedRow {
  readonly id: string;
  readonly credential_id: string;
  readonly outcome: Outcome;
}

/**
 * Closes rotations, each with its outcome; one that is closed already keeps the outcome it has. Samples are looked at
 * only while it runs: verdicts and evidence say what they showed. An emergency that it has not met reserves its successor
 * here.
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
  await countFailures(trx, ids);
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
  await settleEmergencies(trx, [...new Set(rows.map((row) => row.credential_id))]);
}

/** Doubles with each failure, up to this. */
const longestBackOffMs = 24 * 3_600_000;

/** The sweep backs off from what fails, and leaves it to a person after three for one reason. */
async function countFailures(trx: Kysely<Tables>, rotationIds: readonly string[]): Promise<void> {
  await sql`
    WITH ended AS (
      SELECT r.credential_id, r.outcome = 'proven' AS is_proven, coalesce(
        (SELECT h.code FROM holds h WHERE h.rotation_id = r.id ORDER BY h.number DESC LIMIT 1), r.last_code, 'aborted') AS code
      FROM rotations r WHERE r.id = ANY(${[...rotationIds]})
    ), counted AS (
      SELECT e.credential_id, e.code, e.is_proven,
        CASE WHEN e.is_proven THEN 0 WHEN c.failed_code = e.code THEN c.failures + 1 ELSE 1 END AS failures,
        coalesce((c.policy ->> 'backOffMs')::float8, ${defaultPolicy.backOffMs}) AS back_off_ms
      FROM ended e JOIN credentials c ON c.id = e.credential_id
    )
    UPDATE credentials c SET failures = g.failures, failed_code = CASE WHEN g.is_proven THEN NULL ELSE g.code END,
      not_before = CASE WHEN g.is_proven THEN NULL ELSE clock_timestamp() + interval '1 millisecond'
        * least(g.back_off_ms * power(2, g.failures - 1), ${longestBackOffMs}) END
    FROM counted g WHERE c.id = g.credential_id`.execute(trx);
}
