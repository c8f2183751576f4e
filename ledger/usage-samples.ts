import { sql, type Kysely } from "kysely";
import type { Ledger } from "./database.ts";
import type { Tables } from "./tables.ts";

/** Keeps a sample of who uses which version; `usage` is what the issuer answered. A closed rotation keeps none any more. */
export async function recordUsage(ledger: Ledger, rotationId: string, usage: unknown): Promise<void> {
  await sql`
    INSERT INTO usage_samples (rotation_id, usage)
    SELECT id, ${JSON.stringify(usage)}::jsonb FROM rotations WHERE id = ${rotationId} AND outcome IS NULL`.execute(
    ledger.db,
  );
}

export interface UsageSample<U> {
  readonly sequence: number;
  readonly usage: U;
}

/** The newest samples of a rotation since its step began to ask, oldest first. */
export async function readLatestUsage<U>(
  db: Kysely<Tables>,
  query: { readonly rotationId: string; readonly atMost: number },
): Promise<readonly UsageSample<U>[]> {
  const { rows } = await sql<UsageSample<U>>`
    SELECT s.sequence, s.usage FROM usage_samples s JOIN rotations r ON r.id = s.rotation_id
    WHERE s.rotation_id = ${query.rotationId} AND s.at >= r.asked_since
    ORDER BY s.sequence DESC LIMIT ${query.atMost}`.execute(db);
  return rows.toReversed();
}

export interface SeenSince<S> {
  /** Each session once, with the sequence of the last sample that shows it. */
  readonly sessions: readonly { readonly session: S; readonly seenAt: number }[];
  /** The most that one sample shows. */
  readonly atOnce: number;
}

/** Who was seen on a handle since the step began to ask, however many samples show it. */
export async function readSeenSince<S>(
  db: Kysely<Tables>,
  query: { readonly rotationId: string; readonly handle: string },
): Promise<SeenSince<S>> {
  const { rows } = await sql<{ session: S; seenAt: number; atOnce: number }>`
    WITH seen AS MATERIALIZED (
      SELECT s.sequence, s.usage -> 'sessions' -> ${query.handle}::text AS list
      FROM usage_samples s JOIN rotations r ON r.id = s.rotation_id
      WHERE s.rotation_id = ${query.rotationId} AND s.at >= r.asked_since
        AND s.usage -> 'sessions' -> ${query.handle}::text <> '[]'
    )
    SELECT e.session, max(seen.sequence) AS "seenAt", max(jsonb_array_length(seen.list)) AS "atOnce"
    FROM seen CROSS JOIN LATERAL jsonb_array_elements(seen.list) AS e (session)
    GROUP BY e.session ORDER BY 2`.execute(db);
  return {
    sessions: rows.map(({ session, seenAt }) => ({ session, seenAt })),
    atOnce: Math.max(0, ...rows.map(({ atOnce }) => atOnce)),
  };
}

/**
 * For how long somebody has looked since the step began to ask, by the ledger's clock; undefined without a sample. One
 * from before that clock was set back, which lies in the future, is left out.
 */
export async function readWatchedMs(db: Kysely<Tables>, rotationId: string): Promise<number | undefined> {
  const { rows } = await sql<{ ms: number | null }>`
    SELECT (extract(epoch FROM clock_timestamp() - min(s.at)) * 1000)::float8 AS ms
    FROM usage_samples s JOIN rotations r ON r.id = s.rotation_id
    WHERE s.rotation_id = ${rotationId} AND s.at BETWEEN r.asked_since AND clock_timestamp()`.execute(db);
  return rows[0]?.ms ?? undefined;
}
