import { sql, type Kysely } from "kysely";
import type { Tables } from "./tables.ts";

export interface CountedBy {
  /** Of a closed vocabulary: a phase, a code, an outcome, a strength. */
  readonly label: string;
  readonly count: number;
}

/** Seconds, of the rotations that were proven within the last day. */
export interface Quantile {
  readonly quantile: number;
  readonly adopted: number | null;
  readonly dead: number | null;
}

/** What metrics tell besides the status. "Lately" is the last 24 hours. */
export interface MetricFacts {
  /** Due by now, whether it runs or not. */
  readonly due: number;
  readonly openByPhase: readonly CountedBy[];
  readonly holdsByCode: readonly CountedBy[];
  readonly oldestHoldSeconds: number;
  /** Of versions in use. */
  readonly oldestVersionSeconds: number;
  readonly closedLately: readonly CountedBy[];
  readonly failuresLately: readonly CountedBy[];
  readonly evidenceLately: readonly CountedBy[];
  readonly times: readonly Quantile[];
  /** By `kind/verb/outcome`. */
  readonly providerCalls: readonly CountedBy[];
  readonly noticesPending: number;
  /** Not told yet after an attempt, by how the last one ended. */
  readonly noticesFailing: readonly CountedBy[];
  readonly oldestNoticeSeconds: number;
  /** By `sent` and `given-up`. */
  readonly noticesLately: readonly CountedBy[];
}

const ageSeconds = (column: string) =>
  sql`coalesce(extract(epoch FROM clock_timestamp() - ${sql.raw(column)}), 0)::float8`;
const lately = sql`clock_timestamp() - interval '1 day'`;
const by = (rows: string) =>
  sql`coalesce(jsonb_agg(jsonb_build_object('label', label, 'count', count) ORDER BY label), '[]') FROM (${sql.raw(rows)}) counted`;

export async function readMetricFacts(db: Kysely<Tables>): Promise<MetricFacts> {
  const { rows } = await sql<MetricFacts>`
    WITH told AS (
      SELECT rotation_id, action, details, at FROM audit WHERE at > ${lately}
    ), ended AS (
      SELECT id, created_at FROM rotations WHERE closed_at > ${lately} AND outcome = 'proven'
    ), times AS (
      SELECT e.id,
        (SELECT extract(epoch FROM min(t.at) - e.created_at) FROM told t
          WHERE t.rotation_id = e.id AND t.action = 'rotation.adopted') AS adopted,
        (SELECT extract(epoch FROM max(t.at) - e.created_at) FROM told t
          WHERE t.rotation_id = e.id AND t.action = 'version.proven-dead') AS dead
      FROM ended e
    )
    SELECT (SELECT count(*) FROM credentials WHERE retired_at IS NULL AND due_at <= clock_timestamp()) AS due,
      (SELECT ${by("SELECT phase AS label, count(*) AS count FROM rotations WHERE outcome IS NULL GROUP BY phase")})
        AS "openByPhase",
      (SELECT ${by("SELECT code AS label, count(*) AS count FROM holds WHERE decided_at IS NULL GROUP BY code")})
        AS "holdsByCode",
      (SELECT ${ageSeconds("min(opened_at)")} FROM holds WHERE decided_at IS NULL) AS "oldestHoldSeconds",
      (SELECT ${ageSeconds("min(v.created_at)")} FROM credentials c
        JOIN versions v ON v.credential_id = c.id AND v.number = c.current_version WHERE c.retired_at IS NULL)
        AS "oldestVersionSeconds",
      (SELECT ${by("SELECT outcome AS label, count(*) AS count FROM rotations WHERE closed_at > clock_timestamp() - interval '1 day' GROUP BY outcome")})
        AS "closedLately",
      (SELECT ${by("SELECT details ->> 'code' AS label, count(*) AS count FROM told WHERE action = 'step.failed' GROUP BY 1")})
        AS "failuresLately",
      (SELECT ${by("SELECT strength AS label, count(*) AS count FROM evidence WHERE complete AND at > clock_timestamp() - interval '1 day' GROUP BY strength")})
        AS "evidenceLately",
      (SELECT ${by("SELECT kind || '/' || verb || '/' || outcome AS label, calls AS count FROM provider_calls")})
        AS "providerCalls",
      (SELECT count(*) FROM notice_deliveries WHERE state = 'pending') AS "noticesPending",
      (SELECT ${by("SELECT last_code AS label, count(*) AS count FROM notice_deliveries WHERE state = 'pending' AND attempts > 0 GROUP BY last_code")})
        AS "noticesFailing",
      (SELECT ${ageSeconds("min(created_at)")} FROM notice_deliveries WHERE state = 'pending') AS "oldestNoticeSeconds",
      (SELECT ${by("SELECT state AS label, count(*) AS count FROM notice_deliveries WHERE ended_at > clock_timestamp() - interval '1 day' GROUP BY state")})
        AS "noticesLately",
      (SELECT jsonb_agg(jsonb_build_object('quantile', q, 'adopted',
          (SELECT percentile_cont(q) WITHIN GROUP (ORDER BY adopted) FROM times),
          'dead', (SELECT percentile_cont(q) WITHIN GROUP (ORDER BY dead) FROM times)))
        FROM unnest(ARRAY[0.5, 0.9, 0.99]::float8[]) AS q) AS times`.execute(db);
  const [facts] = rows;
  if (facts === undefined) throw new Error("The ledger answered without a row.");
  return facts;
}
