import { sql, type Kysely } from "kysely";
import { obstaclesAt } from "../calendar/allowed.ts";
import { effectivePolicy, type GivenPolicy } from "../domain/policy.ts";
import type { Freeze } from "../domain/routine.ts";
import { locks, transact, type Ledger } from "./database.ts";
import { freezesOf, nowMs } from "./freezes.ts";
import { reckonDue } from "./reckon-due.ts";
import { reserveIn } from "./reserve-rotations.ts";
import type { Tables } from "./tables.ts";

/** Open rotations over one connection, where its manifest says nothing. */
export const defaultMaxConcurrent = 10;
/** After so many failures in a row for one reason only a person begins again. */
export const mostFailures = 3;
/** At once, so that no transaction is long. */
const reckonedAtOnce = 500;
const reservedAtOnce = 100;
/** Of those that are due, the most critical and the oldest are looked at. */
const seenAtOnce = 1_000;
/** What could not be reserved is tried again after so long. */
const refusedForMs = 60_000;

export interface Swept {
  readonly reserved: number;
  /** There may be more to do at once. */
  readonly isMore: boolean;
}

interface DueRow {
  readonly id: string;
  readonly because: string;
  readonly policy: GivenPolicy;
  readonly freezes: readonly Freeze[];
  readonly nowMs: number;
}

/**
 * Reserves a rotation for credentials that are due and allowed to begin, within the caps of connections, teams and
 * environments, the most critical and the oldest first. Reserving writes the start row in the same transaction, so that
 * a sweep that dies leaves either nothing or what the dispatcher starts. Sweeps take turns: a cap is never passed by two.
 * `beforeCommit` is told how many are reserved.
 */
export function sweepDue(ledger: Ledger, beforeCommit?: (reserved: number) => void): Promise<Swept> {
  return transact(ledger, async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(${locks.sweep})`.execute(trx);
    const reckoned = await reckonDue(trx, reckonedAtOnce);
    const found = await takeDue(trx);
    const closed = found.filter(isClosed).map(({ id }) => id);
    // Its window has passed while nobody swept.
    await sql`UPDATE credentials SET is_reckoned = false WHERE id = ANY(${closed})`.execute(trx);
    const allowed = found.filter((row) => !isClosed(row));
    const { reserved, refused } = await reserveIn(
      trx,
      allowed.map(({ id, because }) => ({
        credentialId: id,
        requestedBy: "system:sweep",
        reason: reasons[because] ?? "",
      })),
    );
    await sql`
      UPDATE credentials c SET refused_code = g.code,
        not_before = clock_timestamp() + ${refusedForMs} * interval '1 millisecond'
      FROM jsonb_to_recordset(${JSON.stringify(refused)}::jsonb) AS g ("credentialId" text, code text)
      WHERE c.id = g."credentialId"`.execute(trx);
    await sql`
      UPDATE credentials SET refused_code = NULL WHERE refused_code IS NOT NULL
        AND id = ANY(${reserved.map(({ credentialId }) => credentialId)})`.execute(trx);
    beforeCommit?.(reserved.length);
    return { reserved: reserved.length, isMore: reckoned === reckonedAtOnce || found.length === reservedAtOnce };
  });
}

const reasons: Readonly<Record<string, string>> = {
  schedule: "due by its schedule",
  age: "due by its greatest age",
  expiry: "due before it expires",
};

function isClosed({ policy: given, freezes, nowMs: at }: DueRow): boolean {
  const { windows, pause } = effectivePolicy(given);
  return obstaclesAt({ windows: windows === undefined ? [] : [windows], freezes, pause }, at).length > 0;
}

/** Each cap counts what is open and what is taken before it in the same order, so that none is passed. */
async function takeDue(trx: Kysely<Tables>): Promise<readonly DueRow[]> {
  const { rows } = await sql<DueRow>`
    WITH open AS (
      SELECT c.connection_id, c.team_id, c.environment_id
      FROM rotations r JOIN credentials c ON c.id = r.credential_id WHERE r.outcome IS NULL
    ), room AS (
      SELECT n.id, coalesce(n.max_concurrent, ${defaultMaxConcurrent})
        - (SELECT count(*) FROM open WHERE open.connection_id = n.id) AS free FROM connections n
      UNION ALL
      SELECT t.id, t.max_concurrent - (SELECT count(*) FROM open WHERE open.team_id = t.id) FROM teams t
        WHERE t.max_concurrent IS NOT NULL
      UNION ALL
      SELECT e.id, e.max_concurrent - (SELECT count(*) FROM open WHERE open.environment_id = e.id) FROM environments e
        WHERE e.max_concurrent IS NOT NULL
    ), due AS (
      SELECT c.id, c.connection_id, c.team_id, c.environment_id, c.due_at,
        array_position(ARRAY['critical', 'high', 'medium', 'low'], c.inventory ->> 'criticality') AS place
      FROM credentials c
      WHERE c.begins_at <= clock_timestamp() AND c.is_reckoned AND c.retired_at IS NULL
        AND c.failures < ${mostFailures}
        AND NOT EXISTS (SELECT FROM rotations r WHERE r.credential_id = c.id AND r.outcome IS NULL)
        AND NOT EXISTS (
          SELECT FROM room WHERE room.free <= 0 AND room.id IN (c.connection_id, c.team_id, c.environment_id))
      ORDER BY place NULLS LAST, c.due_at, c.id LIMIT ${seenAtOnce}
      FOR UPDATE OF c SKIP LOCKED
    ), by_connection AS (
      SELECT due.*, row_number() OVER (PARTITION BY connection_id ORDER BY place NULLS LAST, due_at, id) AS nth FROM due
    ), by_team AS (
      SELECT d.*, row_number() OVER (PARTITION BY d.team_id ORDER BY d.place NULLS LAST, d.due_at, d.id) AS team_nth
      FROM by_connection d JOIN room ON room.id = d.connection_id AND d.nth <= room.free
    ), by_environment AS (
      SELECT d.*, row_number() OVER (PARTITION BY d.environment_id ORDER BY d.place NULLS LAST, d.due_at, d.id) AS environment_nth
      FROM by_team d LEFT JOIN room ON room.id = d.team_id WHERE d.team_nth <= coalesce(room.free, d.team_nth)
    )
    SELECT c.id, c.due_because AS because, c.policy, ${freezesOf} AS freezes, ${nowMs} AS "nowMs"
    FROM by_environment d LEFT JOIN room ON room.id = d.environment_id JOIN credentials c ON c.id = d.id
    WHERE d.environment_nth <= coalesce(room.free, d.environment_nth)
    ORDER BY d.place NULLS LAST, d.due_at, d.id LIMIT ${reservedAtOnce}`.execute(trx);
  return rows;
}
