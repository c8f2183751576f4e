import { sql, type Kysely } from "kysely";
import type { Tables } from "./tables.ts";

/** Fingerprints of the current values, and of the connections' secrets, of a team, an environment or all; not beyond a bound. */
export async function readFingerprintsWithin(
  db: Kysely<Tables>,
  { teamId, environmentId }: { readonly teamId: string | null; readonly environmentId: string | null },
): Promise<readonly string[]> {
  const { rows } = await sql<{ fingerprint: string }>`
    WITH meant AS (
      SELECT c.id, c.current_version, c.connection_id FROM credentials c
      WHERE c.retired_at IS NULL AND (${teamId}::text IS NULL OR c.team_id = ${teamId})
        AND (${environmentId}::text IS NULL OR c.environment_id = ${environmentId})
      ORDER BY c.id DESC LIMIT 2000
    )
    SELECT v.fingerprint FROM meant m JOIN versions v ON v.credential_id = m.id AND v.number = m.current_version
    WHERE v.fingerprint IS NOT NULL
    UNION
    SELECT regexp_split_to_table(n.secret_fingerprint, ' ') FROM connections n
    WHERE n.id IN (SELECT connection_id FROM meant) AND n.secret_fingerprint IS NOT NULL`.execute(db);
  return rows.map(({ fingerprint }) => fingerprint);
}

/** Fingerprints of the newest values of a credential, and of its connection's secret. */
export async function readKnownFingerprints(db: Kysely<Tables>, credentialId: string): Promise<readonly string[]> {
  const { rows } = await sql<{ fingerprint: string }>`
    (SELECT fingerprint FROM versions WHERE credential_id = ${credentialId} AND fingerprint IS NOT NULL
      ORDER BY number DESC LIMIT 50)
    UNION ALL
    SELECT regexp_split_to_table(n.secret_fingerprint, ' ') FROM connections n
    JOIN credentials c ON c.connection_id = n.id WHERE c.id = ${credentialId} AND n.secret_fingerprint IS NOT NULL
    `.execute(db);
  return rows.map(({ fingerprint }) => fingerprint);
}
