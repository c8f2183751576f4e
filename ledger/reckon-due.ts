import { sql, type Kysely } from "kysely";
import { allowedFrom } from "../calendar/allowed.ts";
import { dueOf, type DueReason } from "../calendar/due.ts";
import { effectivePolicy, type GivenPolicy } from "../domain/policy.ts";
import type { Freeze } from "../domain/routine.ts";
import { freezesOf, nowMs } from "./freezes.ts";
import type { Tables } from "./tables.ts";

interface Row {
  readonly id: string;
  readonly policy: GivenPolicy;
  readonly expiresAt: string | null;
  readonly bornMs: number;
  readonly notBeforeMs: number | null;
  readonly freezes: readonly Freeze[];
  readonly nowMs: number;
}

interface Reckoned {
  readonly id: string;
  readonly dueMs: number | null;
  readonly because: DueReason | null;
  readonly beginsMs: number | null;
  readonly announceMs: number | null;
}

/**
 * Reckons when credentials are due, of those for which something has changed that decides it. How many; a row that
 * somebody else works on waits for the next time.
 */
export async function reckonDue(trx: Kysely<Tables>, atMost: number): Promise<number> {
  const { rows } = await sql<Row>`
    SELECT c.id, c.policy, c.inventory ->> 'expiresAt' AS "expiresAt",
      floor(extract(epoch FROM v.created_at) * 1000)::float8 AS "bornMs",
      ceil(extract(epoch FROM c.not_before) * 1000)::float8 AS "notBeforeMs", ${freezesOf} AS freezes, ${nowMs} AS "nowMs"
    FROM credentials c JOIN versions v ON v.credential_id = c.id AND v.number = c.current_version
    WHERE NOT c.is_reckoned AND c.retired_at IS NULL
    ORDER BY c.id LIMIT ${atMost} FOR UPDATE OF c SKIP LOCKED`.execute(trx);
  const reckoned = rows.map(reckon);
  await sql`
    UPDATE credentials c SET is_reckoned = true, due_because = g.because,
      due_at = to_timestamp(g."dueMs" / 1000.0), begins_at = to_timestamp(g."beginsMs" / 1000.0),
      announce_at = to_timestamp(g."announceMs" / 1000.0)
    FROM jsonb_to_recordset(${JSON.stringify(reckoned)}::jsonb)
      AS g (id text, "dueMs" float8, because text, "beginsMs" float8, "announceMs" float8)
    WHERE c.id = g.id`.execute(trx);
  return rows.length;
}

function reckon(row: Row): Reckoned {
  const policy = effectivePolicy(row.policy);
  const expiresMs = row.expiresAt === null ? undefined : Date.parse(row.expiresAt);
  const due = dueOf({ credentialId: row.id, policy, bornMs: row.bornMs, expiresMs });
  if (due === undefined) return { id: row.id, dueMs: null, because: null, beginsMs: null, announceMs: null };
  const earliest = Math.max(due.atMs, row.notBeforeMs ?? 0);
  const windows = policy.windows === undefined ? [] : [policy.windows];
  const restrictions = { windows, freezes: row.freezes, pause: policy.pause };
  // What is overdue already may begin now at the earliest; a window that has passed does not come back.
  const beginsMs = allowedFrom(restrictions, Math.max(earliest, row.nowMs)) ?? null;
  const announceMs = beginsMs === null || policy.noticeMs === 0 ? null : beginsMs - policy.noticeMs;
  return { id: row.id, dueMs: due.atMs, because: due.because, beginsMs, announceMs };
}
