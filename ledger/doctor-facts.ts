import { sql, type Kysely } from "kysely";
import { embeddedPlace } from "../domain/custody-place.ts";
import { awaitedSince } from "./far-looks.ts";
import type { Tables } from "./tables.ts";

/** Something of the ledger that a person may have to see to, with since when. */
export interface Noted {
  /** `team/name` of the credential or consumer, or the rotation's id. */
  readonly name: string;
  readonly more: string;
  /** Milliseconds. */
  readonly ageMs: number;
}

export interface DoctorFacts {
  /** `18.4` */
  readonly server: string;
  readonly latestMigration: string;
  /** Rows of the audit trail that nobody has sealed, and since when the oldest is there. */
  readonly unsealed: number;
  readonly unsealedMs: number;
  /** Open holds: the rotation, its credential, and how old the hold is. */
  readonly holds: readonly Noted[];
  /** Paused by a person. */
  readonly paused: readonly Noted[];
  /** Open rotations that no step has looked at for long. */
  readonly carrierless: readonly Noted[];
  readonly unadopted: readonly Noted[];
  /** Connections of pools that the doctor's check does not reach; `more` is the pool. */
  readonly elsewhere: readonly Noted[];
  readonly withoutConsumers: readonly Noted[];
  /** Consumers with no evidence but that it was delivered. */
  readonly withoutEvidence: readonly Noted[];
  /** Credentials whose `expiresAt` is near or past; `ageMs` is the time until then, negative. */
  readonly expiring: readonly Noted[];
  /** Places of custody besides the ledger; `more` is how many credentials have values or their next ones there. */
  readonly places: readonly Noted[];
  /** Credentials with a value that may lie in two places, while nobody moves it; `more` is where it is to be read. */
  readonly halfMoved: readonly Noted[];
  /** When a person last said that the custody key's file is copied, for which key. */
  readonly keyCopied: { readonly keyId: string; readonly at: Date } | null;
}

const most = 50;
const sinceMs = (column: string) => sql`round(extract(epoch FROM clock_timestamp() - ${sql.raw(column)}) * 1000)`;
const listed = sql`coalesce(jsonb_agg(jsonb_build_object('name', name, 'more', more, 'ageMs', age)), '[]')`;

/** `silentMs`: how long no step may have looked at an open rotation. `soonMs`: how near an expiry is told. */
export async function readDoctorFacts(
  db: Kysely<Tables>,
  { silentMs, soonMs }: { readonly silentMs: number; readonly soonMs: number },
): Promise<DoctorFacts> {
  const { rows } = await sql<DoctorFacts>`
    WITH registered AS (
      SELECT c.*, t.name || '/' || c.name AS ref FROM credentials c JOIN teams t ON t.id = c.team_id
      WHERE c.retired_at IS NULL
    ), open AS (
      SELECT r.*, t.name || '/' || c.name AS ref FROM rotations r JOIN credentials c ON c.id = r.credential_id
      JOIN teams t ON t.id = c.team_id WHERE r.outcome IS NULL
    ), placed AS (
      SELECT c.id AS credential_id, c.ref, p.place, p.other FROM registered c
      JOIN versions v ON v.credential_id = c.id AND v.state IN ('intended', 'live', 'disabled')
      JOIN custody_places p ON p.key = c.id || '/' || v.number || '/version'
    ), unsealed AS (
      SELECT at FROM audit WHERE id > coalesce((SELECT max(audit_id) FROM audit_seals), 0)
    )
    SELECT split_part(current_setting('server_version'), ' ', 1) AS server,
      (SELECT max(name) FROM schema_migrations) AS "latestMigration",
      (SELECT count(*) FROM unsealed) AS unsealed,
      (SELECT coalesce(${sinceMs("min(at)")}, 0) FROM unsealed) AS "unsealedMs",
      (SELECT ${listed} FROM (SELECT o.id AS name, o.ref AS more, ${sinceMs("h.opened_at")} AS age FROM holds h
        JOIN open o ON o.id = h.rotation_id WHERE h.decided_at IS NULL ORDER BY h.opened_at LIMIT ${most}) l) AS holds,
      (SELECT ${listed} FROM (SELECT id AS name, ref AS more, ${sinceMs("phase_since")} AS age FROM open WHERE paused
        ORDER BY phase_since LIMIT ${most}) l) AS paused,
      (SELECT ${listed} FROM (SELECT id AS name, ref AS more, ${sinceMs("looked_at")} AS age FROM open
        WHERE ${awaitedSince} < clock_timestamp() - ${silentMs} * interval '1 millisecond'
        ORDER BY looked_at LIMIT ${most}) l) AS carrierless,
      (SELECT ${listed} FROM (SELECT t.name || '/' || n.name AS name, n.pool AS more, 0 AS age FROM connections n
        JOIN teams t ON t.id = n.team_id WHERE n.retired_at IS NULL AND n.pool <> 'default' LIMIT ${most}) l)
        AS elsewhere,
      (SELECT ${listed} FROM (SELECT ref AS name, '' AS more, ${sinceMs("created_at")} AS age FROM registered
        WHERE current_version IS NULL ORDER BY created_at LIMIT ${most}) l) AS unadopted,
      (SELECT ${listed} FROM (SELECT ref AS name, '' AS more, ${sinceMs("created_at")} AS age FROM registered c
        WHERE NOT EXISTS (SELECT FROM consumers n WHERE n.credential_id = c.id AND n.retired_at IS NULL)
        ORDER BY created_at LIMIT ${most}) l) AS "withoutConsumers",
      (SELECT ${listed} FROM (SELECT t.name || '/' || n.name AS name, c.ref AS more, ${sinceMs("n.created_at")} AS age
        FROM consumers n JOIN registered c ON c.id = n.credential_id JOIN teams t ON t.id = n.team_id
        WHERE n.retired_at IS NULL AND n.evidence -> 'collectors' = '{}' ORDER BY n.created_at LIMIT ${most}) l)
        AS "withoutEvidence",
      (SELECT ${listed} FROM (SELECT ref AS name, inventory ->> 'expiresAt' AS more,
          ${sinceMs("(inventory ->> 'expiresAt')::timestamptz")} AS age
        FROM registered WHERE (inventory ->> 'expiresAt')::timestamptz
          < clock_timestamp() + ${soonMs} * interval '1 millisecond' LIMIT ${most}) l) AS expiring,
      (SELECT ${listed} FROM (SELECT place AS name, count(DISTINCT id)::text AS more, 0 AS age
        FROM (SELECT custody AS place, id FROM registered UNION ALL SELECT place, credential_id FROM placed) a
        WHERE place <> ${embeddedPlace} GROUP BY place ORDER BY place LIMIT ${most}) l) AS places,
      (SELECT ${listed} FROM (SELECT DISTINCT ON (ref) ref AS name, place AS more, 0 AS age FROM placed p
        WHERE other IS NOT NULL AND NOT EXISTS (SELECT FROM checks k
          WHERE k.subject_id = p.credential_id AND k.kind = 'move' AND k.state = 'pending')
        ORDER BY ref LIMIT ${most}) l) AS "halfMoved",
      (SELECT jsonb_build_object('keyId', details ->> 'key', 'at', at) FROM audit
        WHERE action = 'custody.key_copied' ORDER BY id DESC LIMIT 1) AS "keyCopied"`.execute(db);
  const [facts] = rows;
  if (facts === undefined) throw new Error("The ledger answered without a row.");
  const { keyCopied } = facts;
  return keyCopied === null ? facts : { ...facts, keyCopied: { ...keyCopied, at: new Date(keyCopied.at) } };
}
