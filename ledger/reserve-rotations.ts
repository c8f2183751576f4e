import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { recordEvents } from "./audit.ts";
import type { Ledger } from "./database.ts";
import { newId } from "./new-id.ts";

export interface ReserveRequest {
  readonly credentialId: string;
  readonly requestedBy: string;
  readonly reason: string;
}

export interface Reserved {
  readonly credentialId: string;
  readonly rotationId: string;
  /** False: the credential had an open rotation already, and this is that one. */
  readonly isNew: boolean;
}

interface ReservedRow {
  readonly credential_id: string;
  readonly rotation_id: string;
  readonly to_version: number;
}

/**
 * Reserves one rotation per credential: the rotation, the version it will make with its operation key, and the start
 * row for the dispatcher, with their audit rows, in one transaction. A credential that has an open rotation gets that
 * one back; one that does not exist is left out of the answer. Credentials are locked in id order, so that two calls
 * over the same ones cannot block each other for ever.
 */
export function reserveRotations(ledger: Ledger, requests: readonly ReserveRequest[]): Promise<readonly Reserved[]> {
  const wanted = [...new Map(requests.map((request) => [request.credentialId, request])).values()].map((request) => ({
    ...request,
    rotationId: newId("rotation"),
    versionId: newId("version"),
    operationKey: randomBytes(16).toString("hex"),
  }));
  return ledger.db.transaction().execute(async (trx) => {
    const given = JSON.stringify(wanted);
    const ids = wanted.map(({ credentialId }) => credentialId);
    await sql`SELECT id FROM credentials WHERE id = ANY(${ids}) ORDER BY id FOR UPDATE`.execute(trx);
    const { rows: open } = await sql<ReservedRow>`
      SELECT credential_id, id AS rotation_id, to_version FROM rotations
      WHERE credential_id = ANY(${ids}) AND outcome IS NULL`.execute(trx);
    const { rows: made } = await sql<ReservedRow>`
      WITH given AS (
        SELECT g.*, c.connection_id, c.rotation_order, c.current_version, c.next_version, c.policy, c.revision
        FROM jsonb_to_recordset(${given}::jsonb) AS g (
          "credentialId" text, "rotationId" text, "versionId" text, "operationKey" text, "requestedBy" text, reason text)
        JOIN credentials c ON c.id = g."credentialId"
        WHERE c.id <> ALL(${open.map((row) => row.credential_id)}::text[])
      ), numbered AS (
        UPDATE credentials c SET next_version = c.next_version + 1 FROM given WHERE c.id = given."credentialId"
      ), version AS (
        INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key)
        SELECT "versionId", "credentialId", connection_id, next_version, 'intended', "operationKey" FROM given
      ), rotation AS (
        INSERT INTO rotations
          (id, credential_id, rotation_order, from_version, to_version, policy, pinned, requested_by, reason)
        SELECT "rotationId", "credentialId", rotation_order, current_version, next_version, policy,
          jsonb_build_object('credential', revision, 'consumers', coalesce((
            SELECT jsonb_object_agg(n.id, n.revision) FROM consumers n
            WHERE n.credential_id = given."credentialId" AND n.retired_at IS NULL), '{}'::jsonb)),
          "requestedBy", reason
        FROM given
        RETURNING id, credential_id, to_version
      ), start AS (
        INSERT INTO starts (rotation_id) SELECT id FROM rotation
      )
      SELECT credential_id, id AS rotation_id, to_version FROM rotation`.execute(trx);
    const byCredential = new Map(wanted.map((request) => [request.credentialId, request]));
    await recordEvents(
      trx,
      made.map((row) => ({
        credentialId: row.credential_id,
        rotationId: row.rotation_id,
        actor: byCredential.get(row.credential_id)?.requestedBy ?? "system:reserve",
        action: "rotation.reserved",
        details: { version: row.to_version, reason: byCredential.get(row.credential_id)?.reason },
      })),
    );
    const answer = (isNew: boolean) => (row: ReservedRow) => ({
      credentialId: row.credential_id,
      rotationId: row.rotation_id,
      isNew,
    });
    return [...made.map(answer(true)), ...open.map(answer(false))];
  });
}
