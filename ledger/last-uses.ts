import { sql, type Kysely } from "kysely";
import type { Ledger } from "./database.ts";
import type { Tables } from "./tables.ts";

/** What an issuer told of a version's last use, by its own clock. */
export interface ToldUse {
  readonly toldAt: string;
  /** Null: never. */
  readonly at: string | null;
  /** By what and where, in the issuer's words. */
  readonly by: string | null;
}

/** Keeps for people what the issuer told last, keyed by handle. */
export async function recordLastUses(
  ledger: Ledger,
  credentialId: string,
  told: Readonly<Record<string, ToldUse>>,
): Promise<void> {
  await sql`
    UPDATE versions v SET last_use = g.value FROM jsonb_each(${JSON.stringify(told)}::jsonb) g
    WHERE v.credential_id = ${credentialId} AND v.handle = g.key`.execute(ledger.db);
}

/** The versions that a rotation is about, oldest first. */
export async function readToldUses(
  db: Kysely<Tables>,
  rotationId: string,
): Promise<readonly { readonly number: number; readonly lastUse: ToldUse | null }[]> {
  const { rows } = await sql<{ number: number; lastUse: ToldUse | null }>`
    SELECT v.number, v.last_use AS "lastUse" FROM rotations r JOIN versions v ON v.credential_id = r.credential_id
      AND v.number IN (r.from_version, r.to_version)
    WHERE r.id = ${rotationId} ORDER BY v.number`.execute(db);
  return rows;
}

export interface MovedQuery {
  readonly rotationId: string;
  /** Everybody who has to be on the version. */
  readonly consumers: readonly string[];
  readonly version: number;
  /** Whoever answers a hold that names this gap by `retry` says that they have moved somebody since. */
  readonly gap: string;
}

/**
 * How long ago the last of them was on the version, by every kind of evidence that showed it; undefined while one is not,
 * or where there is none. Milliseconds, by the ledger's clock alone.
 */
export async function readMovedAgoMs(db: Kysely<Tables>, query: MovedQuery): Promise<number | undefined> {
  const { rotationId, consumers, version, gap } = query;
  const { rows } = await sql<{ ms: number | null }>`
    WITH shown AS (
      SELECT consumer_id, min(at) AS since FROM evidence
      WHERE rotation_id = ${rotationId} AND version = ${version} AND complete AND consumer_id = ANY(${[...consumers]})
      GROUP BY consumer_id, source
    )
    SELECT (extract(epoch FROM clock_timestamp() - greatest(max(since), (
      SELECT max(h.decided_at) FROM holds h JOIN rotations r ON r.id = h.rotation_id AND r.direction = h.direction
      WHERE h.rotation_id = ${rotationId} AND h.decision = 'retry'
        AND h.gaps @> ${JSON.stringify([{ key: gap }])}::jsonb))) * 1000)::float8 AS ms
    FROM shown HAVING count(DISTINCT consumer_id) = ${consumers.length}`.execute(db);
  return rows[0]?.ms ?? undefined;
}
