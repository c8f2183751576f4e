import { sql, type Kysely } from "kysely";
import type { Direction } from "../domain/order.ts";
import type { Turn } from "./operations.ts";
import type { Tables } from "./tables.ts";

/** One attempt of a step, as it began. */
export interface Attempt {
  readonly rotationId: string;
  /** The way of its step. */
  readonly direction: Direction;
  /** Under which it acts; absent for a step that only looks, and for the undo, which takes one for each thing it does. */
  readonly turn?: Turn | undefined;
  /** When it began, as the ledger wrote it: without a turn one that began later has the say. */
  readonly lookedAt: string;
}

/**
 * The rotations of those attempts that still have the say: it is open, goes the way of the step, and no newer attempt has
 * begun. What any other attempt found out is about a rotation that has gone on since. Ask under the rotations' locks.
 */
export async function readStanding(trx: Kysely<Tables>, attempts: readonly Attempt[]): Promise<ReadonlySet<string>> {
  if (attempts.length === 0) return new Set();
  const given = attempts.map(({ rotationId, direction, turn, lookedAt }) => ({
    rotationId,
    direction,
    lookedAt,
    operation: turn?.operationId,
    epoch: turn?.claim.epoch,
    number: turn?.claim.number,
  }));
  const { rows } = await sql<{ id: string }>`
    SELECT r.id FROM rotations r
    JOIN jsonb_to_recordset(${JSON.stringify(given)}::jsonb) AS g ("rotationId" text, direction text, "lookedAt" text,
      operation text, epoch integer, number bigint) ON g."rotationId" = r.id
    LEFT JOIN operations o ON o.id = g.operation
    WHERE r.outcome IS NULL AND r.direction = g.direction AND CASE
      WHEN g.operation IS NULL THEN r.looked_at::text = g."lookedAt"
      ELSE o.claim_epoch = g.epoch AND o.claim_number = g.number END`.execute(trx);
  return new Set(rows.map(({ id }) => id));
}
