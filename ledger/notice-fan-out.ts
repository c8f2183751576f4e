import { sql, type Transaction } from "kysely";
import { noticeOf, toldActions, type Notice, type ToldEvent } from "../domain/notice.ts";
import { transact, type Ledger } from "./database.ts";
import { newId } from "./new-id.ts";
import { teamHears } from "./scope.ts";
import type { Tables } from "./tables.ts";

/** Sealed events that are looked at in one transaction. */
const atOnce = 500;

interface FoundEvent extends ToldEvent {
  readonly position: number;
  readonly at: Date;
  readonly credentialId: string | null;
  readonly consumerId: string | null;
}

/**
 * Reads the outbox on from where the last reader stopped and writes down what each endpoint is to be told. Both are one
 * transaction, and readers take turns: no event is skipped and none is told twice. Answers whether there may be more.
 */
export function fanOut(ledger: Ledger): Promise<boolean> {
  return transact(ledger, async (trx) => {
    const { rows } = await sql<{ position: number }>`
      SELECT position FROM notice_cursor FOR UPDATE SKIP LOCKED`.execute(trx);
    const [cursor] = rows;
    if (cursor === undefined) return false;
    const { last, count } = await readEnd(trx, cursor.position);
    if (last === null) return false;
    for (const event of await readTold(trx, cursor.position, last)) {
      const notice = noticeOf(event);
      if (notice !== undefined) await writeDown(trx, event, notice);
    }
    await sql`UPDATE notice_cursor SET position = ${last}`.execute(trx);
    return count === atOnce;
  });
}

async function readEnd(trx: Transaction<Tables>, position: number) {
  const { rows } = await sql<{ last: number | null; count: number }>`
    SELECT max(position) AS last, count(*) AS count
    FROM (SELECT position FROM audit_seals WHERE position > ${position} ORDER BY position LIMIT ${atOnce}) next`.execute(
    trx,
  );
  return rows[0] ?? { last: null, count: 0 };
}

/** Those among them that are told, with the names of what they are about. */
async function readTold(trx: Transaction<Tables>, from: number, to: number): Promise<readonly FoundEvent[]> {
  const { rows } = await sql<FoundEvent>`
    SELECT s.position, o.at, o.event AS action, o.body -> 'details' AS details, o.body ->> 'rotationId' AS rotation,
      c.id AS "credentialId", t.name || '/' || c.name AS credential, e.name AS environment,
      n.id AS "consumerId", nt.name || '/' || n.name AS consumer
    FROM audit_seals s JOIN outbox o ON o.audit_id = s.audit_id
    LEFT JOIN credentials c ON c.id = o.body ->> 'credentialId' LEFT JOIN teams t ON t.id = c.team_id
    LEFT JOIN environments e ON e.id = c.environment_id
    LEFT JOIN consumers n ON n.id = o.body -> 'details' ->> 'consumer' LEFT JOIN teams nt ON nt.id = n.team_id
    WHERE s.position > ${from} AND s.position <= ${to} AND o.event = ANY(${[...toldActions]})
    ORDER BY s.position`.execute(trx);
  return rows;
}

async function writeDown(trx: Transaction<Tables>, event: FoundEvent, notice: Notice): Promise<void> {
  const { position, at, credential, environment, rotation, credentialId, consumerId } = event;
  const { audience, isToldToAll, text, facts } = notice;
  const said = Object.entries({ credential, environment, rotation }).filter(([, value]) => value !== null);
  const body = {
    type: `notice.${notice.event}`,
    at: at.toISOString(),
    sequence: position,
    text,
    ...Object.fromEntries(said),
    ...facts,
  };
  const { rows } = await sql<{ id: string }>`
    SELECT k.id FROM notices k
    LEFT JOIN credentials c ON c.id = ${credentialId} LEFT JOIN consumers n ON n.id = ${consumerId}
    WHERE k.retired_at IS NULL AND ${notice.event} = ANY(k.events)
      AND CASE WHEN k.of_all THEN ${isToldToAll} ELSE coalesce(${teamHears[audience]}, false) END
    -- one that is being deleted gets none after its last were taken away
    FOR SHARE OF k`.execute(trx);
  const deliveries = rows.map(({ id }) => ({ id: newId("noticeDelivery"), noticeId: id }));
  if (deliveries.length === 0) return;
  await sql`
    INSERT INTO notice_deliveries (id, notice_id, position, event, body)
    SELECT g.id, g."noticeId", ${position}, ${notice.event}, ${JSON.stringify(body)}::jsonb
    FROM jsonb_to_recordset(${JSON.stringify(deliveries)}::jsonb) AS g (id text, "noticeId" text)
    ON CONFLICT (notice_id, position) DO NOTHING`.execute(trx);
}
