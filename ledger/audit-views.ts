import { sql, type Kysely } from "kysely";
import type { Tables } from "./tables.ts";

export interface AuditView {
  readonly id: number;
  readonly at: Date;
  readonly credentialId: string | null;
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
    SELECT id, at, credential_id AS "credentialId", rotation_id AS "rotationId", actor, action, details FROM audit
    WHERE (${credentialId}::text IS NULL OR credential_id = ${credentialId})
      AND (${rotationId}::text IS NULL OR rotation_id = ${rotationId})
      AND (${before}::bigint IS NULL OR id < ${before})
    ORDER BY id DESC LIMIT ${query.limit}`.execute(db);
  return rows;
}
