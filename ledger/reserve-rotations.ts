import { randomBytes } from "node:crypto";
import { sql, type Transaction } from "kysely";
import type { Code } from "../domain/errors.ts";
import { recordEvents } from "./audit.ts";
import { transact, type Ledger } from "./database.ts";
import { findLoginClashes, type LoginRefusal } from "./login-clashes.ts";
import { newId } from "./new-id.ts";
import { connectionsOf } from "./pinned-connections.ts";
import { consumersOf } from "./pinned-consumers.ts";
import { serverOf } from "./server-of.ts";
import type { Tables } from "./tables.ts";

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

export interface ReserveRefusal {
  readonly credentialId: string;
  readonly code: Code;
  /** Why, and what to do first. */
  readonly detail: string;
}

export interface ReserveAnswer {
  readonly reserved: readonly Reserved[];
  readonly refused: readonly ReserveRefusal[];
}

type Wanted = ReserveRequest & { readonly rotationId: string; readonly versionId: string };

interface ReservedRow {
  readonly credential_id: string;
  readonly rotation_id: string;
  readonly to_version: number;
}

/**
 * Reserves one rotation per credential: the rotation, the version it will make with its operation key, its principals
 * and the start row for the dispatcher, with their audit rows, in one transaction. A credential that has an open
 * rotation gets that one back; one that does not exist, or was deleted, is left out of the answer. Credentials are locked in id order,
 * so that two calls over the same ones cannot block each other for ever.
 */
export function reserveRotations(ledger: Ledger, requests: readonly ReserveRequest[]): Promise<ReserveAnswer> {
  return transact(ledger, async (trx) => reserveIn(trx, requests));
}

/** The same within a transaction that does more. */
export async function reserveIn(trx: Transaction<Tables>, requests: readonly ReserveRequest[]): Promise<ReserveAnswer> {
  const asked = [...new Map(requests.map((request) => [request.credentialId, request])).values()];
  const { rows: locked } = await sql<{ id: string }>`
    SELECT id FROM credentials WHERE id = ANY(${asked.map(({ credentialId }) => credentialId)}) AND retired_at IS NULL
    ORDER BY id FOR UPDATE`.execute(trx);
  const ids = locked.map(({ id }) => id);
  const isThere = new Set(ids);
  const found = asked.filter(({ credentialId }) => isThere.has(credentialId));
  const { rows: open } = await sql<ReservedRow>`
    SELECT credential_id, id AS rotation_id, to_version FROM rotations
    WHERE credential_id = ANY(${ids}) AND outcome IS NULL`.execute(trx);
  const isOpen = new Set(open.map((row) => row.credential_id));
  const refused = await findRefusals(
    trx,
    ids.filter((id) => !isOpen.has(id)),
  );
  const isRefused = new Set(refused.map(({ credentialId }) => credentialId));
  const wanted = found
    .filter(({ credentialId }) => !isOpen.has(credentialId) && !isRefused.has(credentialId))
    .map((request) => ({ ...request, rotationId: newId("rotation"), versionId: newId("version") }));
  const made = await insertRotations(trx, wanted);
  await recordReserved(trx, made, wanted);
  const answer = (isNew: boolean) => (row: ReservedRow) => ({
    credentialId: row.credential_id,
    rotationId: row.rotation_id,
    isNew,
  });
  return { reserved: [...made.map(answer(true)), ...open.map(answer(false))], refused };
}

interface RefusalRow {
  readonly id: string;
  readonly name: string;
  readonly is_adopted: boolean;
  readonly principal: string | null;
  readonly rotation_id: string | null;
  readonly moving: string | null;
}

async function findRefusals(trx: Transaction<Tables>, ids: readonly string[]): Promise<readonly ReserveRefusal[]> {
  const { rows } = await sql<RefusalRow>`
    SELECT c.id, t.name || '/' || c.name AS name, busy.principal, busy.rotation_id,
      c.current_version IS NOT NULL AS is_adopted,
      (SELECT k.id FROM checks k WHERE k.subject_id = c.id AND k.kind = 'move' AND k.state = 'pending' LIMIT 1) AS moving
    FROM credentials c JOIN connections n ON n.id = c.connection_id JOIN teams t ON t.id = c.team_id
    LEFT JOIN LATERAL (
      SELECT p.principal, p.rotation_id FROM rotation_principals p
      WHERE p.open AND p.identity = ${serverOf} AND p.principal = ANY(c.principals) LIMIT 1) busy ON true
    WHERE c.id = ANY(${[...ids]})`.execute(trx);
  const clashes = await findLoginClashes(trx, ids, "adopted");
  return rows.flatMap((row) => asRefusal(row, clashes.get(row.id)) ?? []);
}

function asRefusal(row: RefusalRow, clash: LoginRefusal | undefined): ReserveRefusal | undefined {
  if (!row.is_adopted)
    return {
      credentialId: row.id,
      code: "not_adopted",
      detail: `${row.name} has no version yet: give it the value of today with \`rekey credential adopt ${row.name}\`. \`rekey credential show ${row.name}\` has the whole command.`,
    };
  if (row.moving !== null)
    return {
      credentialId: row.id,
      code: "check_pending",
      detail: `Check ${row.moving} is moving the values of ${row.name} to another place. Ask again when it has ended, and see that a worker runs.`,
    };
  if (row.principal !== null)
    return {
      credentialId: row.id,
      code: "principal_busy",
      detail: `Rotation ${row.rotation_id ?? ""} uses the login ${row.principal} of ${row.name}. Wait until it is closed.`,
    };
  return clash === undefined ? undefined : { credentialId: row.id, ...clash };
}

async function insertRotations(trx: Transaction<Tables>, wanted: readonly Wanted[]): Promise<readonly ReservedRow[]> {
  if (wanted.length === 0) return [];
  const given = wanted.map((request) => ({ ...request, operationKey: randomBytes(16).toString("hex") }));
  const { rows } = await sql<ReservedRow>`
    WITH given AS (
      SELECT g.*, c.connection_id, c.rotation_order, c.current_version, c.next_version, c.policy, c.revision,
        c.principals, n.identity, ${serverOf} AS server
      FROM jsonb_to_recordset(${JSON.stringify(given)}::jsonb) AS g (
        "credentialId" text, "rotationId" text, "versionId" text, "operationKey" text, "requestedBy" text, reason text)
      JOIN credentials c ON c.id = g."credentialId" JOIN connections n ON n.id = c.connection_id
    ), numbered AS (
      UPDATE credentials c SET next_version = c.next_version + 1 FROM given WHERE c.id = given."credentialId"
    ), version AS (
      INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key)
      SELECT "versionId", "credentialId", connection_id, next_version, 'intended', "operationKey" FROM given
    ), rotation AS (
      INSERT INTO rotations
        (id, credential_id, rotation_order, from_version, to_version, policy, pinned, requested_by, reason)
      SELECT "rotationId", "credentialId", rotation_order, current_version, next_version, policy,
        jsonb_build_object('credential', revision, 'connections', ${connectionsOf(sql`given."credentialId"`)},
          'consumers', ${consumersOf(sql`given."credentialId"`)})
        || CASE WHEN identity IS NULL THEN '{}'::jsonb ELSE jsonb_build_object('identity', identity) END,
        "requestedBy", reason
      FROM given
      RETURNING id, credential_id, to_version
    ), principal AS (
      INSERT INTO rotation_principals (rotation_id, identity, principal)
      SELECT "rotationId", server, p FROM given, unnest(principals) AS p ORDER BY server, p
    ), start AS (
      INSERT INTO starts (rotation_id) SELECT id FROM rotation
    )
    SELECT credential_id, id AS rotation_id, to_version FROM rotation`.execute(trx);
  return rows;
}

async function recordReserved(
  trx: Transaction<Tables>,
  made: readonly ReservedRow[],
  wanted: readonly Wanted[],
): Promise<void> {
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
}
