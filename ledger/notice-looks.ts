import { sql, type Transaction } from "kysely";
import type { NoticeEvent } from "../domain/notice.ts";
import { defaultPolicy } from "../domain/policy.ts";
import { recordEvents } from "./audit.ts";
import { transact, type Ledger } from "./database.ts";
import { mostFailures } from "./sweep-due.ts";
import type { Tables } from "./tables.ts";

type Trx = Transaction<Tables>;

/** In one transaction, so that none is long. */
const atOnce = 200;
/** A mark is kept for longer than any due time lies ahead. */
const keptFor = sql`interval '800 days'`;
const iso = (column: string) => sql`to_char(${sql.raw(column)} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
const isHeard = (event: NoticeEvent) =>
  sql`EXISTS (SELECT FROM notices k WHERE k.retired_at IS NULL AND ${event} = ANY(k.events))`;

interface DueCredential {
  readonly id: string;
  readonly dueAt: string;
  readonly beginsAt: string;
  readonly overdueMs: number;
}

/** What is told once although nothing happens, as events of the audit trail. Answers whether there may be more. */
export function lookForNotices(ledger: Ledger): Promise<boolean> {
  return transact(ledger, async (trx) => {
    const announced = await takeAnnounced(trx);
    await tellOnce(trx, "credential.announced", announced);
    const overdue = await findOverdue(trx);
    await tellOnce(trx, "credential.found-overdue", overdue);
    return announced.length === atOnce || overdue.length === atOnce;
  });
}

async function takeAnnounced(trx: Trx): Promise<readonly DueCredential[]> {
  const { rows } = await sql<DueCredential>`
    WITH taken AS (
      SELECT c.id FROM credentials c
      WHERE c.announce_at <= clock_timestamp() AND c.retired_at IS NULL AND c.is_reckoned
      ORDER BY c.announce_at LIMIT ${atOnce} FOR UPDATE SKIP LOCKED
    )
    UPDATE credentials c SET announce_at = NULL FROM taken WHERE c.id = taken.id
    RETURNING c.id, ${iso("c.due_at")} AS "dueAt", ${iso("c.begins_at")} AS "beginsAt", 0 AS "overdueMs"`.execute(trx);
  return rows;
}

async function findOverdue(trx: Trx): Promise<readonly DueCredential[]> {
  const { rows } = await sql<DueCredential>`
    SELECT c.id, ${iso("c.due_at")} AS "dueAt", ${iso("c.begins_at")} AS "beginsAt",
      floor(extract(epoch FROM clock_timestamp() - c.begins_at) * 1000)::float8 AS "overdueMs"
    FROM credentials c
    WHERE c.retired_at IS NULL AND c.failures < ${mostFailures} AND c.is_reckoned
      AND c.begins_at < clock_timestamp() - interval '1 millisecond'
        * coalesce((c.policy ->> 'startWithinMs')::float8, ${defaultPolicy.startWithinMs})
      AND NOT EXISTS (SELECT FROM rotations r WHERE r.credential_id = c.id AND r.outcome IS NULL)
      AND NOT EXISTS (SELECT FROM notice_marks m WHERE m.about = 'credential.found-overdue' AND m.subject_id = c.id
        AND m.which = ${iso("c.due_at")})
      AND ${isHeard("overdue")}
    ORDER BY c.begins_at LIMIT ${atOnce}`.execute(trx);
  return rows;
}

/** Each due time once; a policy that is applied again, or a freeze, reckons it anew and tells nobody again. */
async function tellOnce(trx: Trx, action: string, found: readonly DueCredential[]): Promise<void> {
  if (found.length === 0) return;
  const marks = found.map(({ id, dueAt }) => ({ about: action, subject: id, which: dueAt }));
  const { rows } = await sql<{ subject: string }>`
    INSERT INTO notice_marks (about, subject_id, which)
    SELECT about, subject, which FROM jsonb_to_recordset(${JSON.stringify(marks)}::jsonb)
      AS g (about text, subject text, which text)
    ON CONFLICT DO NOTHING RETURNING subject_id AS subject`.execute(trx);
  const isNew = new Set(rows.map(({ subject }) => subject));
  const events = found
    .filter(({ id }) => isNew.has(id))
    .map(({ id, ...details }) => ({ credentialId: id, actor: "system:notices", action, details }));
  await recordEvents(trx, events);
}

/** All consumers of a rotation but this one have adopted; its team is told once. */
export function recordLastOne(
  ledger: Ledger,
  found: { readonly rotationId: string; readonly credentialId: string; readonly consumerId: string },
): Promise<void> {
  const { rotationId, credentialId, consumerId } = found;
  return transact(ledger, async (trx) => {
    const { rows } = await sql`
      INSERT INTO notice_marks (about, subject_id, which)
      SELECT 'consumer.found-last', ${consumerId}, ${rotationId} WHERE ${isHeard("last-one")}
      ON CONFLICT DO NOTHING RETURNING subject_id`.execute(trx);
    const details = { consumer: consumerId };
    const event = { credentialId, rotationId, actor: "system:worker", action: "consumer.found-last", details };
    await recordEvents(trx, rows.length === 0 ? [] : [event]);
  });
}

/** What nobody asks for any more: marks, and deliveries that have ended long ago. */
export async function tidyNotices({ db }: Ledger): Promise<void> {
  await sql`DELETE FROM notice_marks WHERE at < clock_timestamp() - ${keptFor}`.execute(db);
  await sql`
    DELETE FROM notice_deliveries WHERE id IN (SELECT id FROM notice_deliveries
      WHERE state <> 'pending' AND ended_at < clock_timestamp() - interval '30 days' LIMIT 1000)`.execute(db);
}
