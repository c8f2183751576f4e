import { sql } from "kysely";
import type { AfterAttempt, NoticeCode } from "../domain/notice-attempt.ts";
import { recordEvent } from "./audit.ts";
import { transact, type Ledger } from "./database.ts";
import { noticeColumns, type NoticeRow } from "./notice-rows.ts";

/** One sender at an endpoint at a time, until then: what a sender that died was doing is done by another after it. */
export interface NoticeTurn {
  /** A random name of this turn. */
  readonly turn: string;
  readonly turnMs: number;
}

const turnEnd = ({ turnMs }: NoticeTurn) => sql`clock_timestamp() + ${turnMs} * interval '1 millisecond'`;

/** Takes the turn at endpoints that have something to be told, those first that have waited longest. */
export async function takeTurns({ db }: Ledger, turn: NoticeTurn, atMost: number): Promise<readonly NoticeRow[]> {
  const { rows } = await sql<NoticeRow>`
    WITH taken AS (
      SELECT w.id FROM notices w
      WHERE w.retired_at IS NULL AND coalesce(w.turn_until <= clock_timestamp(), true)
        AND coalesce(w.rests_until <= clock_timestamp(), true)
        AND EXISTS (SELECT FROM notice_deliveries d
          WHERE d.notice_id = w.id AND d.state = 'pending' AND d.next_at <= clock_timestamp())
      ORDER BY w.rests_until NULLS FIRST, w.id LIMIT ${atMost} FOR UPDATE SKIP LOCKED
    )
    UPDATE notices k SET turn = ${turn.turn}, turn_until = ${turnEnd(turn)}
    FROM taken, teams t WHERE k.id = taken.id AND t.id = k.team_id
    RETURNING ${noticeColumns}`.execute(db);
  return rows;
}

export interface NoticeToTell {
  readonly id: string;
  readonly body: Readonly<Record<string, unknown>> & { readonly text: string };
  /** So far. */
  readonly attempts: number;
  readonly ageMs: number;
}

/** What the endpoint is to be told next, with its turn made longer; undefined when that is nothing, or the turn is lost. */
export async function nextToTell(
  { db }: Ledger,
  noticeId: string,
  turn: NoticeTurn,
): Promise<NoticeToTell | undefined> {
  const { rows } = await sql<NoticeToTell>`
    WITH held AS (
      UPDATE notices SET turn_until = ${turnEnd(turn)}
      WHERE id = ${noticeId} AND turn = ${turn.turn} AND retired_at IS NULL RETURNING id
    )
    SELECT d.id, d.body, d.attempts, floor(extract(epoch FROM clock_timestamp() - d.created_at) * 1000)::float8 AS "ageMs"
    FROM held JOIN notice_deliveries d ON d.notice_id = held.id
    WHERE d.state = 'pending' AND d.next_at <= clock_timestamp()
    ORDER BY d.position LIMIT 1`.execute(db);
  return rows[0];
}

export interface NoticeAttempt {
  readonly noticeId: string;
  readonly deliveryId: string;
  readonly code: NoticeCode;
  readonly status: number | undefined;
  readonly after: AfterAttempt;
  /** How long the endpoint is left alone when the attempt has not got through. */
  readonly restMs: number;
}

/** Records how an attempt ended. Nothing happens when the turn was lost: whoever has it tells again and records that. */
export function endAttempt(ledger: Ledger, attempt: NoticeAttempt, { turn }: NoticeTurn): Promise<void> {
  const { noticeId, deliveryId, code, status = null, after, restMs } = attempt;
  const afterMs = after.state === "pending" ? after.afterMs : 0;
  return transact(ledger, async (trx) => {
    const isSent = after.state === "sent";
    const isGivenUp = after.state === "given-up";
    const { rows } = await sql`
      WITH held AS (
        UPDATE notices SET last_sent_at = CASE WHEN ${isSent} THEN clock_timestamp() ELSE last_sent_at END,
          last_given_up_at = CASE WHEN ${isGivenUp} THEN clock_timestamp() ELSE last_given_up_at END,
          rests_until = CASE WHEN NOT ${isSent} THEN clock_timestamp() + ${restMs} * interval '1 millisecond' END
        WHERE id = ${noticeId} AND turn = ${turn} RETURNING id
      )
      UPDATE notice_deliveries d SET attempts = d.attempts + 1, last_code = ${code}, last_status = ${status},
        state = ${after.state}, next_at = clock_timestamp() + ${afterMs} * interval '1 millisecond',
        ended_at = CASE WHEN ${after.state} <> 'pending' THEN clock_timestamp() END
      FROM held WHERE d.id = ${deliveryId} AND d.notice_id = held.id AND d.state = 'pending'
      RETURNING d.id`.execute(trx);
    if (rows.length === 0) return;
    // It is well again: what failed while it was not need not wait for its own time. What it refused does.
    if (isSent)
      await sql`
        UPDATE notice_deliveries SET next_at = clock_timestamp()
        WHERE notice_id = ${noticeId} AND state = 'pending' AND last_code IN ('timed-out', 'unreached', 'failed')
        `.execute(trx);
    if (!isGivenUp) return;
    const details = { notice: noticeId, delivery: deliveryId, code };
    await recordEvent(trx, { actor: "system:notices", action: "notice.given-up", details });
  });
}

/** A try has got through: what was given up before is over with. */
export async function recordTestSent({ db }: Ledger, noticeId: string): Promise<void> {
  await sql`
    UPDATE notices SET last_sent_at = clock_timestamp(), rests_until = NULL WHERE id = ${noticeId}`.execute(db);
}

export async function leaveTurn({ db }: Ledger, noticeId: string, { turn }: NoticeTurn): Promise<void> {
  await sql`UPDATE notices SET turn = NULL, turn_until = NULL WHERE id = ${noticeId} AND turn = ${turn}`.execute(db);
}
