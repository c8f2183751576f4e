import { sql, type Kysely } from "kysely";
import type { Code } from "../domain/errors.ts";
import type { GivenPolicy } from "../domain/policy.ts";
import type { Freeze } from "../domain/routine.ts";
import type { Scope } from "../domain/scope.ts";
import { freezesOf, nowMs } from "./freezes.ts";
import { ownsCredential, seesCredential } from "./scope.ts";
import { defaultMaxConcurrent } from "./sweep-due.ts";
import type { Tables } from "./tables.ts";

/** One credential that is being rotated, or due within the time that was asked for, with all that may keep it from beginning. */
export interface CalendarRow {
  readonly id: string;
  /** `team/name` */
  readonly credential: string;
  readonly environment: string;
  readonly criticality: string | null;
  readonly dueMs: number;
  readonly because: string;
  /** When nothing that is known now forbids to begin; null: not within 400 days. */
  readonly beginsMs: number | null;
  readonly policy: GivenPolicy;
  /** That the open rotation was reserved by. */
  readonly pinned: GivenPolicy | null;
  readonly freezes: readonly Freeze[];
  readonly failures: number;
  readonly failedCode: Code | null;
  readonly notBeforeMs: number | null;
  readonly refusedCode: Code | null;
  readonly openRotation: string | null;
  readonly openSinceMs: number | null;
  /** Of the open rotation: it waits for an answer, was paused by somebody, is bound by no window. */
  readonly isHeld: boolean;
  readonly isPaused: boolean;
  readonly isUrgent: boolean;
  /** Places whose cap is reached: `connection shop/orders-db (10)`. */
  readonly full: readonly string[];
  readonly nowMs: number;
  /** Another team's, on which one of the caller's consumers runs: when counts, and why is its owner's. */
  readonly isShared: boolean;
}

export interface CalendarQuery {
  readonly scope: Scope;
  readonly team?: string | undefined;
  readonly environment?: string | undefined;
  readonly credentialId?: string | undefined;
  readonly withinMs: number;
  readonly limit: number;
}

/** What runs, what is due, and what becomes due within the time, each the first to begin first. */
export async function readCalendar(db: Kysely<Tables>, query: CalendarQuery): Promise<readonly CalendarRow[]> {
  const { scope, team = null, environment = null, credentialId = null, withinMs, limit } = query;
  // How full a connection or an environment is tells of other teams.
  const seesPlace = scope === "everything" ? sql`true` : sql`place.id = c.team_id`;
  const { rows } = await sql<CalendarRow>`
    WITH open AS (
      SELECT c.connection_id, c.team_id, c.environment_id
      FROM rotations r JOIN credentials c ON c.id = r.credential_id WHERE r.outcome IS NULL
    ), place AS (
      SELECT n.id, 'connection ' || t.name || '/' || n.name AS name,
        coalesce(n.max_concurrent, ${defaultMaxConcurrent}) AS cap,
        (SELECT count(*) FROM open WHERE open.connection_id = n.id) AS open
      FROM connections n JOIN teams t ON t.id = n.team_id
      UNION ALL
      SELECT id, 'team ' || name, max_concurrent, (SELECT count(*) FROM open WHERE open.team_id = teams.id) FROM teams
      UNION ALL
      SELECT id, 'environment ' || name, max_concurrent,
        (SELECT count(*) FROM open WHERE open.environment_id = environments.id) FROM environments
    )
    SELECT c.id, t.name || '/' || c.name AS credential, e.name AS environment,
      c.inventory ->> 'criticality' AS criticality,
      floor(extract(epoch FROM coalesce(c.due_at, r.created_at)) * 1000)::float8 AS "dueMs",
      coalesce(c.due_because, '') AS because,
      floor(extract(epoch FROM c.begins_at) * 1000)::float8 AS "beginsMs", c.policy, ${freezesOf} AS freezes,
      c.failures, c.failed_code AS "failedCode", floor(extract(epoch FROM c.not_before) * 1000)::float8 AS "notBeforeMs",
      c.refused_code AS "refusedCode",
      r.policy AS pinned, r.id AS "openRotation", floor(extract(epoch FROM r.created_at) * 1000)::float8 AS "openSinceMs", coalesce(r.paused, false) AS "isPaused", coalesce(r.urgent, false) AS "isUrgent",
      EXISTS (SELECT FROM holds h WHERE h.rotation_id = r.id AND h.decided_at IS NULL) AS "isHeld",
      ARRAY(SELECT place.name || ' (' || place.cap || ')' FROM place
        WHERE place.id IN (c.connection_id, c.team_id, c.environment_id) AND place.open >= place.cap AND ${seesPlace} ORDER BY 1) AS "full",
      NOT ${ownsCredential(scope)} AS "isShared", ${nowMs} AS "nowMs"
    FROM credentials c JOIN teams t ON t.id = c.team_id JOIN environments e ON e.id = c.environment_id
      LEFT JOIN rotations r ON r.credential_id = c.id AND r.outcome IS NULL
    WHERE ${seesCredential(scope)} AND c.retired_at IS NULL 
      AND (r.id IS NOT NULL OR c.due_at < clock_timestamp() + ${withinMs} * interval '1 millisecond')
      AND (${team}::text IS NULL OR t.name = ${team}) AND (${environment}::text IS NULL OR e.name = ${environment})
      AND (${credentialId}::text IS NULL OR c.id = ${credentialId})
    ORDER BY r.id IS NULL, c.due_at > clock_timestamp(), greatest(c.begins_at, c.due_at) NULLS LAST, c.id LIMIT ${limit}`.execute(
    db,
  );
  return rows;
}
