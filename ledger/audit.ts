import { sql, type Kysely } from "kysely";
import type { Tables } from "./tables.ts";

/** What may stand in an audit row's details. A `Secret` is none of these, and refuses to become JSON besides. */
export type Plain =
  | string
  | number
  | boolean
  | null
  | readonly Plain[]
  | { readonly [name: string]: Plain | undefined };

export interface AuditEvent {
  readonly credentialId?: string | undefined;
  readonly rotationId?: string | undefined;
  /** Who did it: a principal's id, or `system:<part>`. */
  readonly actor: string;
  /** What was done, `<noun>.<verb in the past>`; also the name of the outbox event. */
  readonly action: string;
  readonly details?: Readonly<Record<string, Plain | undefined>>;
}

/** Writes the audit rows and their outbox events in the caller's transaction, in the order given, in one statement. */
export async function recordEvents(trx: Kysely<Tables>, events: readonly AuditEvent[]): Promise<void> {
  if (events.length === 0) return;
  const rows = events.map((event) => ({ ...event, details: event.details ?? {} }));
  await sql`
    WITH written AS (
      INSERT INTO audit (credential_id, rotation_id, actor, action, details)
      SELECT e ->> 'credentialId', e ->> 'rotationId', e ->> 'actor', e ->> 'action', e -> 'details'
      FROM jsonb_array_elements(${JSON.stringify(rows)}::jsonb) WITH ORDINALITY AS given (e, place)
      ORDER BY place
      RETURNING id, credential_id, rotation_id, actor, action, details
    )
    INSERT INTO outbox (audit_id, event, body)
    SELECT id, action, jsonb_build_object(
      'credentialId', credential_id, 'rotationId', rotation_id, 'actor', actor, 'details', details)
    FROM written ORDER BY id`.execute(trx);
}

/** Writes one audit row and its outbox event in the caller's transaction. */
export function recordEvent(trx: Kysely<Tables>, event: AuditEvent): Promise<void> {
  return recordEvents(trx, [event]);
}

export interface SealedEvent {
  /** Rises without gaps; remember the last one read. */
  readonly position: number;
  readonly event: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly at: Date;
}

/** The outbox after a position, sealed events only, so that a reader who remembers a position never skips one. */
export async function readOutbox(
  db: Kysely<Tables>,
  afterPosition: number,
  limit: number,
): Promise<readonly SealedEvent[]> {
  return db
    .selectFrom("audit_seals as s")
    .innerJoin("outbox as o", "o.audit_id", "s.audit_id")
    .where("s.position", ">", afterPosition)
    .orderBy("s.position")
    .limit(limit)
    .select(["s.position", "o.event", "o.body", "o.at"])
    .execute();
}
