import { sql, type Kysely } from "kysely";
import type { Claim } from "../domain/claim.ts";
import { PermanentError } from "../domain/errors.ts";
import type { Direction, Step } from "../domain/order.ts";
import type { UndoAction } from "../domain/undo.ts";
import { recordEvents } from "./audit.ts";
import type { Tables } from "./tables.ts";
import { newId } from "./new-id.ts";

export interface OperationIntent {
  readonly rotationId: string;
  readonly step: Step | UndoAction["does"];
  /** What the step acts on where one step has several, such as a consumer's id. */
  readonly target?: string;
}

export interface Turn {
  readonly operationId: string;
  readonly rotationId: string;
  readonly target: string;
  readonly claim: Claim;
}

interface TurnRow {
  readonly id: string;
  readonly rotation_id: string;
  readonly credential_id: string;
  readonly step: string;
  readonly target: string;
  readonly claim_epoch: number;
  readonly claim_number: number;
}

interface TakenRow extends TurnRow {
  /** False when the intent was there already: its audit row was written then. */
  readonly is_new: boolean;
}

/**
 * Stores the intents, before anything is done outside, and takes a new claim for each. An intent that is there already
 * keeps its row and its id: the new claim outdates the older attempts of that operation and of no other. Rotations that
 * are closed are left out of the answer.
 */
export async function takeTurns(trx: Kysely<Tables>, intents: readonly OperationIntent[]): Promise<readonly Turn[]> {
  const wanted = JSON.stringify(intents.map((intent) => ({ target: "", ...intent, id: newId("operation") })));
  await sql`
    SELECT c.id FROM credentials c
    WHERE c.id IN (
      SELECT r.credential_id FROM rotations r
      JOIN jsonb_to_recordset(${wanted}::jsonb) AS g ("rotationId" text) ON g."rotationId" = r.id)
    ORDER BY c.id FOR UPDATE`.execute(trx);
  const { rows } = await sql<TakenRow>`
    WITH given AS (
      SELECT g.*, r.credential_id,
        row_number() OVER (PARTITION BY r.credential_id ORDER BY g.id) AS place
      FROM jsonb_to_recordset(${wanted}::jsonb) AS g (id text, "rotationId" text, step text, target text)
      JOIN rotations r ON r.id = g."rotationId" AND r.outcome IS NULL
    ), counted AS (
      UPDATE credentials c SET claim_number = c.claim_number + n.taken
      FROM (SELECT credential_id, count(*) AS taken FROM given GROUP BY credential_id) n
      WHERE c.id = n.credential_id
      RETURNING c.id, c.claim_number - n.taken AS base
    ), stored AS (
      INSERT INTO operations AS o (id, rotation_id, step, target, claim_epoch, claim_number)
      SELECT g.id, g."rotationId", g.step, g.target, (SELECT epoch FROM instance), k.base + g.place
      FROM given g JOIN counted k ON k.id = g.credential_id
      ON CONFLICT (rotation_id, step, target)
      DO UPDATE SET claim_epoch = excluded.claim_epoch, claim_number = excluded.claim_number,
        state = 'open', done_at = NULL
      RETURNING o.*, (xmax = 0) AS is_new
    )
    SELECT s.id, s.rotation_id, r.credential_id, s.step, s.target, s.claim_epoch, s.claim_number, s.is_new
    FROM stored s JOIN rotations r ON r.id = s.rotation_id`.execute(trx);
  await recordEvents(
    trx,
    rows
      .filter((row) => row.is_new)
      .map((row) => ({
        credentialId: row.credential_id,
        rotationId: row.rotation_id,
        actor: "system:worker",
        action: "operation.intended",
        details: { step: row.step, target: row.target, claim: row.claim_number },
      })),
  );
  return rows.map((row) => ({
    operationId: row.id,
    rotationId: row.rotation_id,
    target: row.target,
    claim: { epoch: row.claim_epoch, number: row.claim_number },
  }));
}

/**
 * Records that the operations took effect. All or nothing: one outdated claim among them and none is recorded. Doing it
 * again under the same claim is harmless and leaves no second audit row.
 * @throws {PermanentError} `claim_outdated` when a newer attempt has taken over.
 */
export async function completeOperations(trx: Kysely<Tables>, turns: readonly Turn[]): Promise<void> {
  if (turns.length === 0) return;
  const given = JSON.stringify(
    turns.map(({ operationId, claim }) => ({ id: operationId, epoch: claim.epoch, number: claim.number })),
  );
  const { rows } = await sql<TurnRow & { readonly state: string }>`
    WITH standing AS MATERIALIZED (
      SELECT o.id, o.rotation_id, r.credential_id, o.step, o.target, o.claim_epoch, o.claim_number, o.state
      FROM operations o
      JOIN jsonb_to_recordset(${given}::jsonb) AS g (id text, epoch integer, number bigint)
        ON g.id = o.id AND g.epoch = o.claim_epoch AND g.number = o.claim_number
      JOIN rotations r ON r.id = o.rotation_id
      ORDER BY o.id FOR UPDATE OF o
    ), done AS (
      UPDATE operations o SET state = 'done', done_at = clock_timestamp()
      FROM standing s WHERE o.id = s.id AND s.state = 'open')
    SELECT * FROM standing`.execute(trx);
  if (rows.length !== turns.length)
    throw new PermanentError(
      "claim_outdated",
      "A newer attempt of this step has taken over; this one's result is not recorded.",
    );
  await recordEvents(
    trx,
    rows
      .filter((row) => row.state === "open")
      .map((row) => ({
        credentialId: row.credential_id,
        rotationId: row.rotation_id,
        actor: "system:worker",
        action: "operation.done",
        details: { step: row.step, target: row.target, claim: row.claim_number },
      })),
  );
}

/**
 * Refuses an attempt that has lost its turn, or whose rotation was closed or turned round since. Ask under the
 * rotation's lock, in the transaction that writes down what the attempt is about to do.
 * @throws {PermanentError} `claim_outdated`
 */
export async function assertTurnStands(trx: Kysely<Tables>, turn: Turn, direction: Direction): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    SELECT o.id FROM operations o JOIN rotations r ON r.id = o.rotation_id
    WHERE o.id = ${turn.operationId} AND o.claim_epoch = ${turn.claim.epoch} AND o.claim_number = ${turn.claim.number}
      AND r.outcome IS NULL AND r.direction = ${direction}`.execute(trx);
  if (rows.length === 0)
    throw new PermanentError(
      "claim_outdated",
      "The rotation has gone on without this attempt, which does nothing more.",
    );
}

/** A change of control: whatever any attempt of these rotations is still doing can no longer be recorded. */
export async function outdateOpenOperations(trx: Kysely<Tables>, rotationIds: readonly string[]): Promise<void> {
  const { rows } = await sql<{ rotationId: string; step: "issue"; target: string }>`
    SELECT rotation_id AS "rotationId", step, target FROM operations
    WHERE rotation_id = ANY(${[...rotationIds]}) AND state = 'open'`.execute(trx);
  if (rows.length > 0) await takeTurns(trx, rows);
}
