import { sql, type Kysely } from "kysely";
import type { Tables } from "./tables.ts";

export interface AuditView {
  readonly id: number;
  readonly at: Date;
  readonly credentialId: string | null;
  /** `team/name` */
  readonly credential: string | null;
  readonly rotationId: string | null;
  readonly actor: string;
  readonly action: string;
  readonly details: Readonly<Record<string, unknown>>;
}

export interface AuditQuery {
  readonly credentialId?: string | undefined;
  readonly rotationId?: string | undefined;
  /** Only rows with a lower id: the page before. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Newest first. */
export async function listAudit(db: Kysely<Tables>, query: AuditQuery): Promise<readonly AuditView[]> {
  const { credentialId = null, rotationId = null, before = null } = query;
  const { rows } = await sql<AuditView>`
    SELECT id, at, credential_id AS "credentialId", rotation_id AS "rotationId", actor, action, details,
      (SELECT t.name || '/' || c.name FROM credentials c JOIN teams t ON t.id = c.team_id
        WHERE c.id = audit.credential_id) AS credential
    FROM audit
    WHERE (${credentialId}::text IS NULL OR credential_id = ${credentialId})
      AND (${rotationId}::text IS NULL OR rotation_id = ${rotationId})
      AND (${before}::bigint IS NULL OR id < ${before})
    ORDER BY id DESC LIMIT ${query.limit}`.execute(db);
  return rows;
}

/** How people name the rows that have these ids, for those that have a name. */
export async function readNames(db: Kysely<Tables>, ids: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const wanted = [...new Set(ids)];
  const { rows } = await sql<{ id: string; name: string }>`
    SELECT id, name FROM teams WHERE id = ANY(${wanted})
    UNION ALL SELECT id, name FROM environments WHERE id = ANY(${wanted})
    UNION ALL SELECT p.id, t.name || '/' || p.name FROM policies p JOIN teams t ON t.id = p.team_id
      WHERE p.id = ANY(${wanted})
    UNION ALL SELECT n.id, t.name || '/' || n.name FROM connections n JOIN teams t ON t.id = n.team_id
      WHERE n.id = ANY(${wanted})
    UNION ALL SELECT c.id, t.name || '/' || c.name FROM credentials c JOIN teams t ON t.id = c.team_id
      WHERE c.id = ANY(${wanted})
    UNION ALL SELECT n.id, t.name || '/' || n.name FROM consumers n JOIN teams t ON t.id = n.team_id
      WHERE n.id = ANY(${wanted})`.execute(db);
  return new Map(rows.map(({ id, name }) => [id, name]));
}
