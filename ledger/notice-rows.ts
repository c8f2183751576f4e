import { sql, type Kysely, type Transaction } from "kysely";
import type { NoticeEvent, NoticeFormat } from "../domain/notice.ts";
import { recordEvent } from "./audit.ts";
import { record, type Registering } from "./registry.ts";
import type { TeamRef } from "./registry-views.ts";
import type { Tables } from "./tables.ts";

type Trx = Transaction<Tables>;

/** What decides where an endpoint's notices go; its secret is bound to all of it. */
export interface NoticeSettings {
  readonly format: NoticeFormat;
  /** Absent where the address is the secret. */
  readonly url?: string | undefined;
  /** PEM */
  readonly ca?: string | undefined;
}

/** A secret's place in custody. */
export interface NoticeSecret {
  readonly row: string;
  readonly revision: number;
}

export interface NoticeRow {
  readonly id: string;
  readonly team: string;
  readonly name: string;
  readonly settings: NoticeSettings;
  readonly events: readonly NoticeEvent[];
  readonly isOfAll: boolean;
  readonly signBothForMs: number;
  readonly secret: NoticeSecret | null;
  readonly secretRevision: number;
  readonly secretFingerprint: string | null;
  /** Signs as well until its time is over. */
  readonly former: NoticeSecret | null;
}

/** What custody finds a secret of the endpoint by. Bound to the settings: another address cannot have it. */
export const secretPlace = (
  { id, name, settings }: Pick<NoticeRow, "id" | "name" | "settings">,
  { row, revision }: NoticeSecret,
) => ({ id, name, kind: "notice", settings, pool: "default", secret_row: row, secret_revision: revision });

const secretOf = (name: "secret" | "former") => sql`CASE WHEN ${sql.ref(`k.${name}_row`)} IS NOT NULL THEN
  jsonb_build_object('row', ${sql.ref(`k.${name}_row`)}, 'revision', ${sql.ref(`k.${name}_revision`)}) END`;

/** Of a row `k` and its team `t`. */
export const noticeColumns = sql`k.id, t.name AS team, k.name, k.settings, k.events, k.of_all AS "isOfAll",
  k.sign_both_for_ms AS "signBothForMs", ${secretOf("secret")} AS secret, k.secret_revision AS "secretRevision",
  k.secret_fingerprint AS "secretFingerprint", ${secretOf("former")} AS former`;

export async function findNotices(db: Kysely<Tables>, refs: readonly TeamRef[]): Promise<readonly NoticeRow[]> {
  const { rows } = await sql<NoticeRow>`
    SELECT ${noticeColumns} FROM jsonb_to_recordset(${JSON.stringify(refs)}::jsonb) AS g (team text, name text)
    JOIN teams t ON t.name = g.team JOIN notices k ON k.team_id = t.id AND k.name = g.name AND k.retired_at IS NULL
    `.execute(db);
  return rows;
}

/** Settings that lead elsewhere take its secrets away: they are bound to where they may be sent. */
export async function storeNotice(trx: Trx, row: NoticeRow & { readonly teamId: string }, by: Registering) {
  const { id, teamId, name, settings, events, isOfAll, signBothForMs } = row;
  // What it was told of others while it heard of all is none of the team's that sees it from now on.
  await sql`
    DELETE FROM notice_deliveries d USING notices k
    WHERE k.id = ${id} AND d.notice_id = k.id AND k.of_all AND NOT ${isOfAll}`.execute(trx);
  await sql`
    INSERT INTO notices AS k (id, team_id, name, format, settings, events, of_all, sign_both_for_ms)
    VALUES (${id}, ${teamId}, ${name}, ${settings.format}, ${JSON.stringify(settings)}::jsonb, ${[...events]}, ${isOfAll},
      ${signBothForMs})
    ON CONFLICT (id) DO UPDATE SET format = excluded.format, settings = excluded.settings, events = excluded.events,
      of_all = excluded.of_all, sign_both_for_ms = excluded.sign_both_for_ms, rests_until = NULL,
      secret_row = CASE WHEN k.settings = excluded.settings THEN k.secret_row END,
      secret_fingerprint = CASE WHEN k.settings = excluded.settings THEN k.secret_fingerprint END,
      former_row = CASE WHEN k.settings = excluded.settings THEN k.former_row END,
      former_revision = CASE WHEN k.settings = excluded.settings THEN k.former_revision END,
      former_until = CASE WHEN k.settings = excluded.settings THEN k.former_until END`.execute(trx);
  await askAgain(trx, id);
  await record(trx, "notice", id, by);
}

/** What did not get through need not wait for its own time once somebody has changed something. */
async function askAgain(trx: Trx, noticeId: string): Promise<void> {
  await sql`
    UPDATE notice_deliveries SET next_at = clock_timestamp() WHERE notice_id = ${noticeId} AND state = 'pending'
    `.execute(trx);
}

/** Points the endpoint at the secret that custody holds now; the one before signs as well for its time. */
export async function storeNoticeSecret(
  trx: Trx,
  given: NoticeSecret & { readonly noticeId: string; readonly fingerprint: string; readonly keepsFormer: boolean },
  actor: string,
): Promise<void> {
  const { noticeId, row, revision, fingerprint, keepsFormer } = given;
  await sql`
    UPDATE notices SET secret_row = ${row}, secret_revision = ${revision}, secret_fingerprint = ${fingerprint},
      rests_until = NULL,
      former_row = CASE WHEN ${keepsFormer} THEN secret_row END,
      former_revision = CASE WHEN ${keepsFormer} THEN secret_revision END,
      former_until = CASE WHEN ${keepsFormer} AND secret_row IS NOT NULL
        THEN clock_timestamp() + sign_both_for_ms * interval '1 millisecond' END
    WHERE id = ${noticeId}`.execute(trx);
  await askAgain(trx, noticeId);
  const details = { notice: noticeId, revision };
  await recordEvent(trx, { actor, action: "notice.secret_given", details });
}

/** A former secret whose time is over, of one endpoint; custody is to forget it, and then `dropFormer` the ledger. */
export async function readEndedFormer(db: Kysely<Tables>): Promise<NoticeRow | undefined> {
  const { rows } = await sql<NoticeRow>`
    SELECT ${noticeColumns} FROM notices k JOIN teams t ON t.id = k.team_id
    WHERE k.former_until <= clock_timestamp() ORDER BY k.former_until LIMIT 1`.execute(db);
  return rows[0];
}

/** Nothing happens where another secret has taken its place meanwhile. */
export async function dropFormer(trx: Trx, noticeId: string, former: NoticeSecret): Promise<void> {
  const { rows } = await sql`
    UPDATE notices SET former_row = NULL, former_revision = NULL, former_until = NULL
    WHERE id = ${noticeId} AND former_row = ${former.row} RETURNING id`.execute(trx);
  if (rows.length === 0) return;
  const details = { notice: noticeId, revision: former.revision };
  await recordEvent(trx, { actor: "system:notices", action: "notice.former_secret_destroyed", details });
}

/** What it was still to be told is told to nobody. Its secrets are pointed at by nothing from here on. */
export async function retireNotice(trx: Trx, id: string, actor: string): Promise<void> {
  await sql`DELETE FROM notice_deliveries WHERE notice_id = ${id} AND state = 'pending'`.execute(trx);
  await sql`
    UPDATE notices SET retired_at = clock_timestamp(), secret_row = NULL, secret_fingerprint = NULL, former_row = NULL,
      former_revision = NULL, former_until = NULL WHERE id = ${id}`.execute(trx);
  await recordEvent(trx, { actor, action: "notice.deleted", details: { notice: id } });
}
