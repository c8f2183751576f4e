import { sql, type Kysely } from "kysely";
import { defaultPolicy } from "../domain/policy.ts";
import type { Noted } from "./doctor-facts.ts";
import { mostFailures } from "./sweep-due.ts";
import { workerSilentMs } from "./workers.ts";
import { awaitedSince } from "./far-looks.ts";
import type { Tables } from "./tables.ts";

export interface Counted {
  readonly count: number;
  /** The worst of them, at most five. */
  readonly first: readonly Noted[];
}

/** What decides whether routine work goes on by itself. Ages in milliseconds. */
export interface StatusFacts {
  readonly credentials: number;
  /** Those that a policy rotates. */
  readonly scheduled: number;
  readonly open: number;
  /** Proven within the last seven days. */
  readonly proven: number;
  /** When the next one begins. */
  readonly nextAt: Date | null;
  /** Due, and kept from beginning by a window, a freeze or a pause. */
  readonly waiting: number;
  /** Open ones that are in time; `name` is the rotation, or of those that wait for one the emergency; `more` is the credential, then what keeps it: a code, and `held` or how often that was tried. */
  readonly emergencies: Counted;
  /** Those whose time is over, or for which no rotation could begin; `more` is the credential, and why that was refused. */
  readonly lateEmergencies: Counted;
  /** Registered without a version, so that nothing rotates them; the age is since then. */
  readonly unadopted: Counted;
  /** Due, allowed, and not begun within the policy's `startWithin`; `more` is why it is due. */
  readonly overdue: Counted;
  /** After so many failures for one reason only a person begins again; `more` is the reason's code. */
  readonly given: Counted;
  /** Open rotations that no step has looked at for long; `more` is the credential. */
  readonly carrierless: Counted;
  /** Unanswered; `more` is the credential. */
  readonly holds: Counted;
  readonly paused: Counted;
  /** Who uses a credential without being registered, and nobody has settled it; by credential, `more` is how many. */
  readonly unregistered: Counted;
  /** Of versions that had leaked and are dead: used, or able to log in again; by credential, `more` is the newest. */
  readonly afterDeath: Counted;
  /** Keys that an emergency's look found and nobody knows; by credential, `more` is the newest. */
  readonly strangers: Counted;
  /** Open rotations whose step has failed several times, without a hold yet; `more` is the credential and the code. */
  readonly failing: Counted;
  /** Consumers that were asked for and that nobody has answered; `more` is the credential. */
  readonly grants: Counted;
  readonly unsealedMs: number;
  /** Endpoints of notices that were not told something, and nothing since; the age is of the last that was given up. */
  readonly untold: Counted;
  /** Endpoints whose notices do not get through for a while; `more` is how the last attempt ended. */
  readonly unreached: Counted;
  /** Pools of connections without a worker. */
  readonly idlePools: readonly string[];
  readonly workers: number;
}

/** A passing trouble is over by then. */
const manyAttempts = 3;
const longUntoldMs = 15 * 60_000;

const ageMs = (column: string) => sql`floor(extract(epoch FROM clock_timestamp() - ${sql.raw(column)}) * 1000)`;

/** Rows with `name`, `more` and `age`, the oldest first. */
const counted = (table: string) => sql`(SELECT jsonb_build_object('count', count(*), 'first', coalesce(
  (SELECT jsonb_agg(jsonb_build_object('name', name, 'more', more, 'ageMs', age) ORDER BY age DESC)
    FROM (SELECT * FROM ${sql.raw(table)} ORDER BY age DESC LIMIT 5) worst), '[]')) FROM ${sql.raw(table)})`;

/** As long as the dispatcher leaves an open rotation alone, and a little more. */
export const silentMs = 120_000;

export async function readStatusFacts(db: Kysely<Tables>): Promise<StatusFacts> {
  const { rows } = await sql<StatusFacts>`
    WITH registered AS (
      SELECT c.*, t.name || '/' || c.name AS ref FROM credentials c JOIN teams t ON t.id = c.team_id
      WHERE c.retired_at IS NULL
    ), running AS (
      SELECT r.*, c.ref FROM rotations r JOIN registered c ON c.id = r.credential_id WHERE r.outcome IS NULL
    ), overdue AS (
      SELECT ref AS name, coalesce(due_because, '') AS more, ${ageMs("begins_at")} AS age FROM registered c
      WHERE failures < ${mostFailures} AND begins_at < clock_timestamp() - interval '1 millisecond'
          * coalesce((policy ->> 'startWithinMs')::float8, ${defaultPolicy.startWithinMs})
        AND NOT EXISTS (SELECT FROM running WHERE running.credential_id = c.id)
    ), given AS (
      SELECT ref AS name, coalesce(failed_code, '') AS more, ${ageMs("begins_at")} AS age FROM registered
      WHERE failures >= ${mostFailures} AND due_at < clock_timestamp()
    ), leaked AS (
      SELECT coalesce(e.rotation_id, e.id) AS name, CASE
          WHEN e.refused_code IS NOT NULL THEN concat_ws(' ', c.ref, e.refused_code)
          WHEN h.id IS NOT NULL THEN concat_ws(' ', c.ref, h.code, 'held')
          WHEN r.attempts > 0 THEN concat_ws(' ', c.ref, r.last_code, r.attempts) ELSE c.ref END AS more,
        ${ageMs("e.created_at")} AS age, e.deadline < clock_timestamp() OR e.refused_code IS NOT NULL AS is_late
      FROM emergencies e JOIN registered c ON c.id = e.credential_id
      LEFT JOIN rotations r ON r.credential_id = e.credential_id AND r.outcome IS NULL
      LEFT JOIN holds h ON h.rotation_id = r.id AND h.decided_at IS NULL
      WHERE e.outcome IS NULL
    ), emergencies_in_time AS (
      SELECT name, more, age FROM leaked WHERE NOT is_late
    ), emergencies_late AS (
      SELECT name, more, age FROM leaked WHERE is_late
    ), unadopted AS (
      SELECT ref AS name, '' AS more, ${ageMs("created_at")} AS age FROM registered WHERE current_version IS NULL
    ), carrierless AS (
      SELECT id AS name, ref AS more, ${ageMs("looked_at")} AS age FROM running
      WHERE ${awaitedSince} < clock_timestamp() - ${silentMs} * interval '1 millisecond'
    ), held AS (
      SELECT r.id AS name, r.ref AS more, ${ageMs("h.opened_at")} AS age
      FROM holds h JOIN running r ON r.id = h.rotation_id WHERE h.decided_at IS NULL
    ), failing AS (
      SELECT r.id AS name, r.ref || ' ' || r.last_code AS more, ${ageMs("r.phase_since")} AS age FROM running r
      WHERE r.attempts >= ${manyAttempts} AND r.last_code IS NOT NULL
        AND NOT EXISTS (SELECT FROM holds h WHERE h.rotation_id = r.id AND h.decided_at IS NULL)
    ), stopped AS (
      SELECT id AS name, ref AS more, ${ageMs("phase_since")} AS age FROM running WHERE paused
    ), unregistered AS (
      SELECT c.ref AS name, count(*)::text AS more, ${ageMs("min(p.first_seen_at)")} AS age
      FROM proposals p JOIN registered c ON c.id = p.credential_id WHERE p.state = 'open' GROUP BY c.ref
    ), found AS (
      SELECT f.kind = 'stranger' AS is_stranger, c.ref AS name, (array_agg(f.text || ' Last seen ' ||
          to_char(f.last_seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC.' ORDER BY f.last_seen_at DESC))[1] AS more,
        ${ageMs("min(f.first_seen_at)")} AS age
      FROM death_findings f JOIN death_watches w ON w.version_id = f.version_id
      JOIN versions v ON v.id = f.version_id JOIN registered c ON c.id = v.credential_id
      WHERE w.until > clock_timestamp() GROUP BY 1, 2
    ), after_death AS (SELECT name, more, age FROM found WHERE NOT is_stranger
    ), strangers AS (SELECT name, more, age FROM found WHERE is_stranger
    ), untold AS (
      SELECT t.name || '/' || k.name AS name, '' AS more, ${ageMs("k.last_given_up_at")} AS age
      FROM notices k JOIN teams t ON t.id = k.team_id
      WHERE k.retired_at IS NULL AND k.last_given_up_at > coalesce(k.last_sent_at, '-infinity')
    ), unreached AS (
      SELECT t.name || '/' || k.name AS name, coalesce(d.last_code, '') AS more, ${ageMs("d.created_at")} AS age
      FROM notices k JOIN teams t ON t.id = k.team_id CROSS JOIN LATERAL (
        SELECT * FROM notice_deliveries WHERE notice_id = k.id AND state = 'pending' ORDER BY position LIMIT 1) d
      WHERE k.retired_at IS NULL AND d.created_at < clock_timestamp() - ${longUntoldMs} * interval '1 millisecond'
    ), asked AS (
      SELECT g.id AS name, c.ref AS more, ${ageMs("g.requested_at")} AS age
      FROM grants g JOIN registered c ON c.id = g.credential_id WHERE g.state = 'pending'
    ), awake AS (
      SELECT * FROM workers WHERE seen_at > clock_timestamp() - ${workerSilentMs} * interval '1 millisecond'
    )
    SELECT (SELECT count(*) FROM registered) AS credentials,
      (SELECT count(*) FROM registered WHERE due_at IS NOT NULL) AS scheduled,
      (SELECT count(*) FROM running) AS open,
      (SELECT count(*) FROM rotations WHERE outcome = 'proven' AND closed_at > clock_timestamp() - interval '7 days')
        AS proven,
      (SELECT min(begins_at) FROM registered WHERE begins_at > clock_timestamp()) AS "nextAt",
      (SELECT count(*) FROM registered c WHERE due_at < clock_timestamp() AND failures < ${mostFailures}
        AND coalesce(begins_at > clock_timestamp(), true) AND coalesce(not_before < clock_timestamp(), true)
        AND NOT EXISTS (SELECT FROM running WHERE running.credential_id = c.id)) AS waiting,
      ${counted("emergencies_in_time")} AS emergencies, ${counted("emergencies_late")} AS "lateEmergencies",
      ${counted("unadopted")} AS unadopted,
      ${counted("overdue")} AS overdue, ${counted("given")} AS given, ${counted("carrierless")} AS carrierless,
      ${counted("untold")} AS untold, ${counted("unreached")} AS unreached,
      ${counted("held")} AS holds, ${counted("stopped")} AS paused, ${counted("failing")} AS failing,
      ${counted("unregistered")} AS unregistered,
      ${counted("after_death")} AS "afterDeath", ${counted("strangers")} AS strangers,
      ${counted("asked")} AS grants,
      (SELECT coalesce(${ageMs("min(at)")}, 0) FROM audit
        WHERE id > coalesce((SELECT max(audit_id) FROM audit_seals), 0)) AS "unsealedMs",
      ARRAY(SELECT DISTINCT n.pool FROM connections n WHERE n.retired_at IS NULL
        AND NOT EXISTS (SELECT FROM awake WHERE n.pool = ANY(awake.pools)) ORDER BY 1) AS "idlePools",
      (SELECT count(*) FROM awake) AS workers`.execute(db);
  const [facts] = rows;
  if (facts === undefined) throw new Error("The ledger answered without a row.");
  return facts;
}
