import { sql, type Kysely } from "kysely";
import { OperatorNeededError } from "../domain/errors.ts";
import { recordEvent } from "./audit.ts";
import { finishCheck, requestCheck } from "./checks.ts";
import { transact, type Ledger } from "./database.ts";
import type { Tables } from "./tables.ts";

export interface MoveRequest {
  readonly credentialId: string;
  /** The place where its values are to lie. */
  readonly place: string;
  readonly actor: string;
}

interface LockedRow {
  readonly name: string;
  readonly rotation: string | null;
  readonly pending: { readonly id: string; readonly place: string | null } | null;
}

/**
 * Asks a worker to move a credential's values to another place; the check's id. Until it has ended, no rotation begins. Who
 * asks for the same again gets the same check.
 * @throws {OperatorNeededError} `move_refused` while a rotation is open, `check_pending` while another check is.
 */
export function requestMove(ledger: Ledger, { credentialId, place, actor }: MoveRequest): Promise<string> {
  return transact(ledger, async (trx) => {
    // A statement of its own: what the next one reads is then newer than whatever the lock had to wait for.
    await sql`SELECT id FROM credentials WHERE id = ${credentialId} FOR UPDATE`.execute(trx);
    const { rows } = await sql<LockedRow>`
      SELECT t.name || '/' || c.name AS name,
        (SELECT r.id FROM rotations r WHERE r.credential_id = c.id AND r.outcome IS NULL) AS rotation,
        (SELECT jsonb_build_object('id', k.id, 'place', CASE WHEN k.kind = 'move' THEN k.arguments ->> 'place' END)
          FROM checks k WHERE k.subject_id = c.id AND k.state = 'pending' LIMIT 1) AS pending
      FROM credentials c JOIN teams t ON t.id = c.team_id
      WHERE c.id = ${credentialId} AND c.retired_at IS NULL`.execute(trx);
    const [row] = rows;
    if (row === undefined) throw new OperatorNeededError("not_found", "The credential is gone. List what there is.");
    if (row.pending?.place === place) return row.pending.id;
    if (row.rotation !== null)
      throw new OperatorNeededError(
        "move_refused",
        `Rotation ${row.rotation} of ${row.name} is open. Wait until it is closed (rekey rotation watch ${row.rotation}), then move.`,
      );
    if (row.pending !== null)
      throw new OperatorNeededError(
        "check_pending",
        `Check ${row.pending.id} of ${row.name} is under way. Wait for it, and see that a worker runs.`,
      );
    return requestCheck(trx, { kind: "move", subjectId: credentialId, arguments: { place }, requestedBy: actor });
  });
}

interface MovedVersion {
  readonly versionId: string;
  readonly number: number;
  /** It is or may come into force and its value was given: then it has to be in custody. */
  readonly hasValue: boolean;
}

/** What a worker has to move. */
export interface MoveCase {
  readonly instance: string;
  readonly credentialId: string;
  /** Of the connection. */
  readonly pool: string;
  readonly from: string;
  readonly to: string;
  readonly requestedBy: string;
  /** Those whose values may lie in custody. */
  readonly versions: readonly MovedVersion[];
}

export async function readMoveCase(db: Kysely<Tables>, checkId: string): Promise<MoveCase | undefined> {
  const { rows } = await sql<MoveCase>`
    SELECT (SELECT id FROM instance) AS instance, c.id AS "credentialId", n.pool, c.custody AS from,
      k.arguments ->> 'place' AS to, k.requested_by AS "requestedBy",
      (SELECT coalesce(jsonb_agg(jsonb_build_object('versionId', v.id, 'number', v.number,
        'hasValue', v.state IN ('live', 'disabled') AND NOT v.is_unknown) ORDER BY v.number), '[]')
        FROM versions v WHERE v.credential_id = c.id AND v.state <> 'proven-dead') AS versions
    FROM checks k JOIN credentials c ON c.id = k.subject_id JOIN connections n ON n.id = c.connection_id
    WHERE k.id = ${checkId}`.execute(db);
  return rows[0];
}

/** All values lie in the new place: from now on the credential's next ones go there, and its rotations may begin. */
export function finishMove(
  ledger: Ledger,
  checkId: string,
  { credentialId, from, to, ...move }: MoveCase,
): Promise<void> {
  return transact(ledger, async (trx) => {
    const versions = move.versions.map(({ number }) => number);
    const isFirst = await finishCheck(trx, checkId, { ok: true, findings: [], result: { from, to, versions } });
    if (!isFirst) return;
    await sql`UPDATE credentials SET custody = ${to} WHERE id = ${credentialId}`.execute(trx);
    await recordEvent(trx, {
      credentialId,
      actor: move.requestedBy,
      action: "credential.moved",
      details: { from, to },
    });
  });
}
