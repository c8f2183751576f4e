import { sql, type Kysely } from "kysely";
import type { Tables } from "./tables.ts";

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
