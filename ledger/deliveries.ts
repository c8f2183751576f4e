import { sql, type Kysely } from "kysely";
import { recordEvents } from "./audit.ts";
import { lockRotations } from "./begin-steps.ts";
import { transact, type Ledger } from "./database.ts";
import { newId } from "./new-id.ts";
import { completeOperations, takeTurns, type Turn } from "./operations.ts";
import type { Tables } from "./tables.ts";

export interface DeliveryIntent {
  readonly rotationId: string;
  readonly consumerId: string;
  readonly target: string;
  /** The consumer's, when its target was looked at. */
  readonly revision: number;
  /** The number of the version that is put there. */
  readonly version: number;
  /** `restore` puts the previous version back. */
  readonly step: "deliver" | "restore";
  /** The number that the target carries already, perhaps by another installation: ours has to be above it. */
  readonly above: number;
}

export interface IntendedDelivery extends DeliveryIntent {
  readonly deliveryId: string;
  readonly turn: Turn;
  /** Rises per target with each attempt, so that a late writer is known by it. */
  readonly number: { readonly epoch: number; readonly number: number };
}

/**
 * Stores the intents of many deliveries, each with its claim and the next number of its target. Deliveries of rotations
 * that are closed or go the other way, those to consumers that were edited meanwhile, and those that an emergency forbids
 * are left out of the answer.
 */
export function intendDeliveries(
  ledger: Ledger,
  intents: readonly DeliveryIntent[],
): Promise<readonly IntendedDelivery[]> {
  return transact(ledger, async (trx) => {
    await lockRotations(
      trx,
      intents.map(({ rotationId }) => rotationId),
    );
    const fitting = await notLeaking(trx, await toWhereTheyRead(trx, await inTheirDirection(trx, intents)));
    const turns = await takeTurns(
      trx,
      fitting.map(({ rotationId, step, consumerId }) => ({ rotationId, step, target: consumerId })),
    );
    const taken = fitting.flatMap((intent) => {
      const turn = turns.find((each) => each.rotationId === intent.rotationId && each.target === intent.consumerId);
      return turn === undefined ? [] : [{ ...intent, turn, deliveryId: newId("delivery") }];
    });
    const { rows } = await sql<{ id: string; epoch: number; number: number }>`
      WITH given AS (
        SELECT g.*, row_number() OVER (PARTITION BY g.target ORDER BY g."deliveryId") AS place
        FROM jsonb_to_recordset(${JSON.stringify(taken)}::jsonb) AS g
          ("deliveryId" text, "rotationId" text, "consumerId" text, target text, version integer, above bigint)
      ), counted AS (
        UPDATE targets t SET last_number = greatest(t.last_number, n.above) + n.taken
        FROM (SELECT target, count(*) AS taken, max(above) AS above FROM given GROUP BY target) n
        WHERE t.target = n.target
        RETURNING t.target, t.last_number - n.taken AS base
      )
      INSERT INTO deliveries (id, rotation_id, consumer_id, target, version, epoch, number)
      SELECT g."deliveryId", g."rotationId", g."consumerId", g.target, g.version, i.epoch, c.base + g.place
      FROM given g JOIN counted c ON c.target = g.target CROSS JOIN instance i
      RETURNING id, epoch, number`.execute(trx);
    const numbers = new Map(rows.map(({ id, epoch, number }) => [id, { epoch, number }]));
    return taken.flatMap((each) => {
      const number = numbers.get(each.deliveryId);
      return number === undefined ? [] : [{ ...each, number }];
    });
  });
}

/** A late delivery must not follow an undo that has restored its target, nor the other way round. */
async function inTheirDirection(
  trx: Kysely<Tables>,
  intents: readonly DeliveryIntent[],
): Promise<readonly DeliveryIntent[]> {
  const { rows } = await sql<{ id: string; direction: string }>`
    SELECT id, direction FROM rotations
    WHERE id = ANY(${intents.map(({ rotationId }) => rotationId)}) AND outcome IS NULL`.execute(trx);
  const directions = new Map(rows.map(({ id, direction }) => [id, direction]));
  return intents.filter(
    ({ rotationId, step }) => directions.get(rotationId) === (step === "deliver" ? "forward" : "undo"),
  );
}

/** An edited consumer reads elsewhere perhaps. No undo would look for what a late delivery leaves where it read before. */
async function toWhereTheyRead(
  trx: Kysely<Tables>,
  intents: readonly DeliveryIntent[],
): Promise<readonly DeliveryIntent[]> {
  const { rows } = await sql<{ id: string; revision: number }>`
    SELECT id, revision FROM consumers WHERE id = ANY(${intents.map(({ consumerId }) => consumerId)})`.execute(trx);
  const revisions = new Map(rows.map(({ id, revision }) => [id, revision]));
  return intents.filter(({ consumerId, revision }) => revisions.get(consumerId) === revision);
}

/**
 * An emergency may have been declared since the step looked: what has leaked goes to nobody, and nothing new to a suspect.
 * An undo gives a suspect no more than it had.
 */
async function notLeaking(trx: Kysely<Tables>, intents: readonly DeliveryIntent[]): Promise<readonly DeliveryIntent[]> {
  const given = intents.map((intent, at) => ({ ...intent, at }));
  const { rows } = await sql<{ at: number }>`
    SELECT g.at FROM jsonb_to_recordset(${JSON.stringify(given)}::jsonb)
      AS g (at integer, "rotationId" text, "consumerId" text, version integer, step text)
    WHERE EXISTS (SELECT FROM versions v JOIN rotations r ON r.credential_id = v.credential_id
        WHERE r.id = g."rotationId" AND v.number = g.version AND v.compromised_at IS NOT NULL)
      OR (g.step = 'deliver' AND EXISTS (SELECT FROM suspicions s
        WHERE s.consumer_id = g."consumerId" AND s.released_at IS NULL))`.execute(trx);
  const forbidden = new Set(rows.map(({ at }) => at));
  return intents.filter((_, at) => !forbidden.has(at));
}

export interface RecordedDelivery {
  readonly delivery: IntendedDelivery;
  /** With which the target was read back. */
  readonly digest: string;
}

/**
 * Records that the deliveries lie where they belong. From here on evidence of their consumers counts.
 * @throws {PermanentError} `claim_outdated` when a newer attempt has taken over.
 */
export function recordDeliveries(ledger: Ledger, recorded: readonly RecordedDelivery[]): Promise<void> {
  return transact(ledger, async (trx) => {
    await lockRotations(
      trx,
      recorded.map(({ delivery }) => delivery.rotationId),
    );
    await completeOperations(
      trx,
      recorded.map(({ delivery }) => delivery.turn),
    );
    const given = recorded.map(({ delivery, digest }) => ({
      id: delivery.deliveryId,
      consumerId: delivery.consumerId,
      version: delivery.version,
      digest,
    }));
    const { rows } = await sql<{ rotation_id: string; credential_id: string; consumer_id: string; version: number }>`
      WITH given AS (
        SELECT * FROM jsonb_to_recordset(${JSON.stringify(given)}::jsonb)
          AS g (id text, "consumerId" text, version integer, digest text)
      ), held AS (
        UPDATE consumers c SET held_version = g.version, held_digest = g.digest FROM given g WHERE c.id = g."consumerId"
      )
      UPDATE deliveries d SET sequence = nextval('ledger_sequence')
      FROM given g, rotations r WHERE d.id = g.id AND r.id = d.rotation_id
      RETURNING d.rotation_id, r.credential_id, d.consumer_id, d.version`.execute(trx);
    await recordEvents(
      trx,
      rows.map((row) => ({
        credentialId: row.credential_id,
        rotationId: row.rotation_id,
        actor: "system:worker",
        action: "consumer.delivered",
        details: { consumer: row.consumer_id, version: row.version },
      })),
    );
  });
}

/** What was found at a consumer's target without a delivery, unless it was edited or delivered meanwhile. */
export async function recordHeld(
  db: Kysely<Tables>,
  held: {
    readonly consumerId: string;
    readonly revision: number;
    readonly version: number;
    readonly digest: string;
  },
): Promise<void> {
  await sql`
    UPDATE consumers SET held_version = ${held.version}, held_digest = ${held.digest}
    WHERE id = ${held.consumerId} AND revision = ${held.revision} AND held_digest IS NULL`.execute(db);
}
