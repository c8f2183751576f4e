import { sql, type Kysely, type RawBuilder } from "kysely";
import type { Tables } from "./tables.ts";

/** Of a rotation: since when it is overdue that somebody looks at it, or until when nobody has to. */
export const awaitedSince: RawBuilder<Date> = sql`greatest(looked_at, looks_by)`;

/** Whoever carries these looks at them again after so long. Milliseconds. */
export async function promiseLooks(
  trx: Kysely<Tables>,
  looks: readonly { readonly id: string; readonly waitMs: number }[],
): Promise<void> {
  if (looks.length === 0) return;
  await sql`
    UPDATE rotations r SET looks_by = clock_timestamp() + g."waitMs" * interval '1 millisecond'
    FROM jsonb_to_recordset(${JSON.stringify(looks)}::jsonb) AS g (id text, "waitMs" float8)
    WHERE r.id = g.id`.execute(trx);
}

/** Rotations of credentials `c` that wait for a window or the end of a freeze look now: what they wait for has changed. */
export async function wakeWaiting(trx: Kysely<Tables>, whose: RawBuilder<boolean>): Promise<void> {
  await sql`
    UPDATE rotations r SET wakes = true FROM credentials c
    WHERE c.id = r.credential_id AND r.outcome IS NULL AND r.looks_by > clock_timestamp() AND ${whose}`.execute(trx);
}
