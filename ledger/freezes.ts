import { sql, type Kysely, type RawBuilder } from "kysely";
import type { Freeze } from "../domain/routine.ts";
import type { Scope } from "../domain/scope.ts";
import { recordEvent } from "./audit.ts";
import { transact, type Ledger } from "./database.ts";
import { wakeWaiting } from "./far-looks.ts";
import { newId } from "./new-id.ts";
import { seesFreeze } from "./scope.ts";
import type { Tables } from "./tables.ts";

export interface FreezeView {
  readonly id: string;
  /** Whose; both null: everybody's. */
  readonly team: string | null;
  readonly environment: string | null;
  readonly reason: string;
  readonly from: Date;
  readonly until: Date;
  readonly declaredBy: string;
  /** Before its time. */
  readonly endedAt: Date | null;
  readonly isActive: boolean;
}

export interface FreezeRequest {
  readonly teamId: string | null;
  readonly environmentId: string | null;
  readonly reason: string;
  /** Absent: from now on. */
  readonly from?: Date | undefined;
  readonly until: Date;
  readonly actor: string;
}

/** Declares a freeze; undefined when its end is no later than its beginning, or lies in the past. */
export function declareFreeze(ledger: Ledger, request: FreezeRequest): Promise<string | undefined> {
  const { teamId, environmentId, reason, from = null, until, actor } = request;
  return transact(ledger, async (trx) => {
    const id = newId("freeze");
    const { rows } = await sql`
      INSERT INTO freezes (id, team_id, environment_id, reason, from_at, until_at, declared_by)
      SELECT ${id}, ${teamId}, ${environmentId}, ${reason}, b.from_at, ${until}, ${actor}
      FROM (SELECT coalesce(${from}::timestamptz, clock_timestamp()) AS from_at) b
      WHERE ${until} > b.from_at AND ${until} > clock_timestamp() RETURNING id`.execute(trx);
    if (rows.length === 0) return undefined;
    await reckonAgain(trx, { teamId, environmentId });
    const details = { freeze: id, team: teamId, environment: environmentId, reason, until: until.toISOString() };
    await recordEvent(trx, { actor, action: "freeze.declared", details });
    return id;
  });
}

/** Ends a freeze before its time; false when there is none of that id that still lasts. */
export function endFreeze(ledger: Ledger, id: string, actor: string): Promise<boolean> {
  return transact(ledger, async (trx) => {
    const { rows } = await sql<{ team_id: string | null; environment_id: string | null }>`
      UPDATE freezes SET ended_at = clock_timestamp()
      WHERE id = ${id} AND ended_at IS NULL AND until_at > clock_timestamp()
      RETURNING team_id, environment_id`.execute(trx);
    const [row] = rows;
    if (row === undefined) return false;
    await reckonAgain(trx, { teamId: row.team_id, environmentId: row.environment_id });
    await wakeWaiting(trx, frozen({ teamId: row.team_id, environmentId: row.environment_id }));
    await recordEvent(trx, { actor, action: "freeze.ended", details: { freeze: id } });
    return true;
  });
}

type Whose = Pick<FreezeRequest, "teamId" | "environmentId">;

/** Of credential `c`. */
const frozen = ({ teamId, environmentId }: Whose) => sql<boolean>`(${teamId}::text IS NULL OR c.team_id = ${teamId})
  AND (${environmentId}::text IS NULL OR c.environment_id = ${environmentId})`;

async function reckonAgain(trx: Kysely<Tables>, whose: Whose): Promise<void> {
  await sql`
    UPDATE credentials c SET is_reckoned = false WHERE c.retired_at IS NULL AND ${frozen(whose)}`.execute(trx);
}

/** Those that last or are to come, and those that ended within the last 30 days; the next end first. */
export async function listFreezes(db: Kysely<Tables>, scope: Scope): Promise<readonly FreezeView[]> {
  const { rows } = await sql<FreezeView>`
    SELECT f.id, t.name AS team, e.name AS environment, f.reason, f.from_at AS "from", f.until_at AS until,
      f.declared_by AS "declaredBy", f.ended_at AS "endedAt",
      f.ended_at IS NULL AND f.from_at <= clock_timestamp() AND f.until_at > clock_timestamp() AS "isActive"
    FROM freezes f LEFT JOIN teams t ON t.id = f.team_id LEFT JOIN environments e ON e.id = f.environment_id
    WHERE f.until_at > clock_timestamp() - interval '30 days' AND ${seesFreeze(scope)}
    ORDER BY f.until_at, f.id`.execute(db);
  return rows;
}

/** The `Freeze`s, as JSON, that forbid effects on credential `c`, now or later. */
export const freezesOf: RawBuilder<readonly Freeze[]> = sql`(
  SELECT coalesce(jsonb_agg(jsonb_build_object('id', f.id, 'reason', f.reason,
    'fromMs', floor(extract(epoch FROM f.from_at) * 1000), 'untilMs', ceil(extract(epoch FROM f.until_at) * 1000))), '[]')
  FROM freezes f
  WHERE f.ended_at IS NULL AND f.until_at > clock_timestamp()
    AND (f.team_id IS NULL OR f.team_id = c.team_id)
    AND (f.environment_id IS NULL OR f.environment_id = c.environment_id))`;

/** The ledger's time, in whole milliseconds since 1970. */
export const nowMs: RawBuilder<number> = sql`floor(extract(epoch FROM clock_timestamp()) * 1000)::float8`;
