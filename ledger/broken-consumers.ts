import { sql, type Kysely } from "kysely";
import { exactTime } from "./audit-chain.ts";
import type { Tables } from "./tables.ts";

/** Whom a contained rotation broke: from when the version that it ran on was ended until it showed the new one. */
export interface Broken {
  readonly ref: string;
  /** UTC with microseconds. */
  readonly from: string;
  /** Null while it has shown nothing yet. */
  readonly until: string | null;
}

/**
 * Of a rotation whose order contains: each consumer's outage as far as evidence tells; none before the end. Who had shown
 * the new version before the old one ended is not broken, nor who was registered after it; who was retired since was.
 */
export async function readBroken(db: Kysely<Tables>, rotationId: string): Promise<readonly Broken[]> {
  const shown = sql`x.rotation_id = r.id AND x.consumer_id = n.id AND x.version = r.to_version AND x.complete`;
  const { rows } = await sql<Broken>`
    SELECT nt.name || '/' || n.name AS ref, ${exactTime("f.ended_at")} AS "from", ${exactTime("u.at")} AS "until"
    FROM rotations r
    JOIN versions f ON f.credential_id = r.credential_id AND f.number = r.from_version AND f.ended_at IS NOT NULL
    JOIN consumers n ON n.credential_id = r.credential_id AND n.created_at <= f.ended_at
      AND (n.retired_at IS NULL OR n.retired_at > f.ended_at)
    JOIN teams nt ON nt.id = n.team_id
    CROSS JOIN LATERAL (SELECT min(x.at) AS at FROM evidence x WHERE ${shown} AND x.at > f.ended_at) u
    WHERE r.id = ${rotationId} AND r.rotation_order LIKE 'contain-%'
      AND NOT EXISTS (SELECT FROM evidence x WHERE ${shown} AND x.at <= f.ended_at)
    ORDER BY nt.name, n.name`.execute(db);
  return rows;
}
