import { sql, type Kysely } from "kysely";
import type { NoticeCode } from "../domain/notice-attempt.ts";
import type { Scope } from "../domain/scope.ts";
import { noticeColumns, type NoticeRow } from "./notice-rows.ts";
import { ownsNotice } from "./scope.ts";
import type { Tables } from "./tables.ts";

export interface NoticeView extends NoticeRow {
  readonly formerUntil: Date | null;
  /** Not told yet; the age of the oldest of those. */
  readonly pending: number;
  readonly oldestMs: number | null;
  /** How the last attempt at any of those ended; null: none was made yet. */
  readonly lastCode: NoticeCode | null;
  readonly lastSentAt: Date | null;
  readonly lastGivenUpAt: Date | null;
}

export interface NoticeQuery {
  readonly scope: Scope;
  /** An id, `team/name`, or a name. */
  readonly reference?: string | undefined;
  readonly team?: string | undefined;
  /** The id of the last one of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Endpoints in the order in which they were made. */
export async function listNotices(db: Kysely<Tables>, query: NoticeQuery): Promise<readonly NoticeView[]> {
  const { scope, reference = null, team = null, after = "", limit } = query;
  const [first = "", second] = reference?.split("/") ?? [];
  const { rows } = await sql<NoticeView>`
    SELECT ${noticeColumns}, k.former_until AS "formerUntil", k.last_sent_at AS "lastSentAt",
      k.last_given_up_at AS "lastGivenUpAt", w.pending, w."oldestMs", (SELECT d.last_code FROM notice_deliveries d
        WHERE d.notice_id = k.id AND d.state = 'pending' AND d.attempts > 0 ORDER BY d.position LIMIT 1) AS "lastCode"
    FROM notices k JOIN teams t ON t.id = k.team_id
    CROSS JOIN LATERAL (
      SELECT count(*) AS pending,
        floor(extract(epoch FROM clock_timestamp() - min(d.created_at)) * 1000)::float8 AS "oldestMs"
      FROM notice_deliveries d WHERE d.notice_id = k.id AND d.state = 'pending') w
    WHERE k.retired_at IS NULL AND k.id > ${after} AND ${ownsNotice(scope)}
      AND (${team}::text IS NULL OR t.name = ${team})
      AND (${reference}::text IS NULL OR k.id = ${reference}
        OR (k.name = ${second ?? first} AND (${second ?? null}::text IS NULL OR t.name = ${first})))
    ORDER BY k.id LIMIT ${limit}`.execute(db);
  return rows;
}

export interface NoticeDeliveryView {
  /** What the receiver knows it by. */
  readonly id: string;
  readonly event: string;
  readonly text: string;
  readonly state: "pending" | "sent" | "given-up";
  readonly attempts: number;
  readonly lastCode: NoticeCode | null;
  readonly lastStatus: number | null;
  readonly at: Date;
  /** Of the next attempt; null: there is none. */
  readonly nextAt: Date | null;
  readonly endedAt: Date | null;
}

/** What an endpoint was and is to be told, newest first. Whoever asks has been let see the endpoint. */
export async function listNoticeDeliveries(
  db: Kysely<Tables>,
  { noticeId, limit }: { readonly noticeId: string; readonly limit: number },
): Promise<readonly NoticeDeliveryView[]> {
  const { rows } = await sql<NoticeDeliveryView>`
    SELECT id, event, body ->> 'text' AS text, state, attempts, last_code AS "lastCode", last_status AS "lastStatus",
      created_at AS at, CASE WHEN state = 'pending' THEN next_at END AS "nextAt", ended_at AS "endedAt"
    FROM notice_deliveries WHERE notice_id = ${noticeId} ORDER BY position DESC LIMIT ${limit}`.execute(db);
  return rows;
}

/** For a worker: whose secrets it is to open. Undefined when it is registered no more. */
export async function readNotice(db: Kysely<Tables>, id: string): Promise<NoticeRow | undefined> {
  const { rows } = await sql<NoticeRow>`
    SELECT ${noticeColumns} FROM notices k JOIN teams t ON t.id = k.team_id
    WHERE k.id = ${id} AND k.retired_at IS NULL`.execute(db);
  return rows[0];
}
