import { sql, type Kysely } from "kysely";
import type { ConsumerStanding } from "../domain/leak.ts";
import type { Scope } from "../domain/scope.ts";
import { ownsConnection, ownsConsumer, ownsCredential } from "./scope.ts";
import type { Tables } from "./tables.ts";

type Db = Kysely<Tables>;

/** A version that was found again. */
export interface LeakedVersion {
  /** What it may have been found by; never leaves the API's process. */
  readonly fingerprint: string | null;
  readonly handle: string | null;
  readonly credentialId: string;
  /** `team/name` */
  readonly credential: string;
  readonly environment: string;
  readonly kind: string;
  /** `team/name` */
  readonly connection: string;
  readonly version: number;
  readonly state: string;
  readonly isCurrent: boolean;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
  /** It is dead, and the last look at its issuer showed that it can log in again; null otherwise. */
  readonly revivedAt: Date | null;
  /** The credential is registered no more, so that nothing rotates it. */
  readonly deletedAt: Date | null;
  /** The refusal on which its death rests, as the audit trail has it. */
  readonly proof: {
    readonly at: string;
    readonly code: string;
    readonly controls: string;
    readonly rotationId: string | null;
  } | null;
  /** The credential's open rotation. */
  readonly rotation: {
    readonly id: string;
    readonly phase: string;
    readonly fromVersion: number | null;
    readonly toVersion: number;
  } | null;
}

/** Statements with more values than this are slower than two of them. */
const mostAtOnce = 5_000;

/**
 * The versions that have one of these fingerprints, or are called by one of these handles, among the credentials of the
 * scope; those of deleted credentials too, for what they opened may be open still.
 */
export async function findLeakedVersions(
  db: Db,
  scope: Scope,
  { fingerprints, handles }: { readonly fingerprints: readonly string[]; readonly handles: readonly string[] },
): Promise<readonly LeakedVersion[]> {
  const found: LeakedVersion[] = [];
  for (const some of inPieces(fingerprints))
    found.push(...(await findVersions(db, scope, sql`v.fingerprint COLLATE "C" = ANY(${some})`)));
  for (const some of inPieces(handles)) found.push(...(await findVersions(db, scope, sql`v.handle = ANY(${some})`)));
  return found;
}

const inPieces = (all: readonly string[]): readonly string[][] =>
  Array.from({ length: Math.ceil(all.length / mostAtOnce) }, (_, at) =>
    all.slice(at * mostAtOnce, (at + 1) * mostAtOnce),
  );

/** When dead version `v` was last seen to be let in again; null where the last look did not show it. */
export const revivedAt = sql<Date | null>`(
  SELECT max(f.last_seen_at) FROM versions o JOIN death_watches w ON w.version_id = o.id
  JOIN death_findings f ON f.version_id = o.id AND f.last_seen_at >= w.looked_at
  WHERE o.credential_id = v.credential_id AND f.kind = 'revived' AND f.key = v.handle)`;

async function findVersions(db: Db, scope: Scope, isMeant: ReturnType<typeof sql>): Promise<readonly LeakedVersion[]> {
  const { rows } = await sql<LeakedVersion>`
    SELECT v.fingerprint, v.handle, c.id AS "credentialId", t.name || '/' || c.name AS credential, e.name AS environment,
      c.kind, nt.name || '/' || n.name AS connection, v.number AS version, v.state,
      coalesce(c.current_version = v.number, false) AS "isCurrent", v.created_at AS "createdAt",
      v.ended_at AS "endedAt", c.retired_at AS "deletedAt",
      ${revivedAt} AS "revivedAt",
      (SELECT jsonb_build_object('at', a.at, 'code', a.details ->> 'code', 'controls', a.details ->> 'controls',
          'rotationId', a.rotation_id)
        FROM audit a WHERE a.credential_id = c.id AND a.action = 'version.proven-dead'
          AND a.details -> 'version' = to_jsonb(v.number) ORDER BY a.id DESC LIMIT 1) AS proof,
      (SELECT jsonb_build_object('id', r.id, 'phase', r.phase, 'fromVersion', r.from_version, 'toVersion', r.to_version)
        FROM rotations r WHERE r.credential_id = c.id AND r.outcome IS NULL) AS rotation
    FROM versions v JOIN credentials c ON c.id = v.credential_id JOIN teams t ON t.id = c.team_id
    JOIN environments e ON e.id = c.environment_id
    JOIN connections n ON n.id = v.connection_id JOIN teams nt ON nt.id = n.team_id
    WHERE ${isMeant} AND ${ownsCredential(scope)} ORDER BY credential, v.number`.execute(db);
  return rows;
}

export interface TiedConsumer extends ConsumerStanding {
  readonly credentialId: string;
  /** `team/name` */
  readonly ref: string;
  /** How its team is reached; empty when it has not said. */
  readonly contact: string;
}

/** Every registered consumer of these credentials that the scope reaches, with what was seen of it last. */
export async function readConsumerStandings(
  db: Db,
  scope: Scope,
  credentialIds: readonly string[],
): Promise<readonly TiedConsumer[]> {
  const { rows } = await sql<TiedConsumer>`
    SELECT n.credential_id AS "credentialId", t.name || '/' || n.name AS ref, t.contact, n.held_version AS "heldVersion",
      (SELECT v.version FROM rotations r JOIN evidence v ON v.rotation_id = r.id
        WHERE r.credential_id = n.credential_id AND v.consumer_id = n.id AND v.complete AND v.source <> 'target'
        ORDER BY v.sequence DESC LIMIT 1) AS "seenVersion"
    FROM consumers n JOIN teams t ON t.id = n.team_id JOIN credentials c ON c.id = n.credential_id
    WHERE n.credential_id = ANY(${[...credentialIds]}) AND n.retired_at IS NULL
      AND (${ownsCredential(scope)} OR ${ownsConsumer(scope)}) ORDER BY ref`.execute(db);
  return rows;
}

export interface LeakedConnection {
  readonly id: string;
  /** Of each of its secrets. */
  readonly fingerprints: readonly string[];
  /** `team/name` */
  readonly connection: string;
  readonly environment: string;
  readonly kind: string;
  /** The login that the secret belongs to; empty where only the system tells it. */
  readonly principal: string;
}

/** Connections that work today with a secret of one of these fingerprints. Former ones are not kept. */
export async function findLeakedConnections(
  db: Db,
  scope: Scope,
  fingerprints: readonly string[],
): Promise<readonly LeakedConnection[]> {
  const { rows } = await sql<LeakedConnection>`
    SELECT n.id, string_to_array(n.secret_fingerprint, ' ') AS fingerprints, t.name || '/' || n.name AS connection,
      e.name AS environment, n.kind, n.admin_principal AS principal
    FROM connections n JOIN teams t ON t.id = n.team_id JOIN environments e ON e.id = n.environment_id
    WHERE n.retired_at IS NULL AND ${ownsConnection(scope)}
      AND string_to_array(n.secret_fingerprint, ' ') && ${[...fingerprints]}::text[] ORDER BY connection`.execute(db);
  return rows;
}

export interface LeakedToken {
  readonly digest: Buffer;
  readonly id: string;
  readonly role: string;
  readonly isValid: boolean;
}

/** Tokens of rekey itself that have one of these SHA-256. Of no team's concern but the installation's. */
export async function findLeakedTokens(
  db: Db,
  scope: Scope,
  digests: readonly Buffer[],
): Promise<readonly LeakedToken[]> {
  if (scope !== "everything" || digests.length === 0) return [];
  const { rows } = await sql<LeakedToken>`
    SELECT k.digest, k.id, k.role,
      k.revoked_at IS NULL AND k.expires_at > clock_timestamp() AND t.retired_at IS NULL AS "isValid"
    FROM tokens k LEFT JOIN teams t ON t.id = k.team_id WHERE k.digest = ANY(${[...digests]})`.execute(db);
  return rows;
}

export interface Unrecognisable {
  /** How many versions that may be alive have no fingerprint, because nobody has given their value. */
  readonly count: number;
  /** `team/name` and number of the first of them. */
  readonly versions: readonly { readonly credential: string; readonly version: number }[];
}

export async function readUnrecognisable(db: Db, scope: Scope, limit: number): Promise<Unrecognisable> {
  const { rows } = await sql<{ count: number; credential: string; version: number }>`
    SELECT count(*) OVER () AS count, t.name || '/' || c.name AS credential, v.number AS version
    FROM versions v JOIN credentials c ON c.id = v.credential_id JOIN teams t ON t.id = c.team_id
    WHERE v.fingerprint IS NULL AND v.state NOT IN ('intended', 'proven-dead') AND ${ownsCredential(scope)}
    ORDER BY v.credential_id, v.number LIMIT ${limit}`.execute(db);
  return {
    count: rows[0]?.count ?? 0,
    versions: rows.map(({ credential, version }) => ({ credential, version })),
  };
}

/** The keys under which versions have fingerprints, each found by one look into the index. */
export async function readFingerprintKeyIds(db: Db): Promise<readonly string[]> {
  const { rows } = await sql<{ id: string }>`
    WITH RECURSIVE keys AS (
      (SELECT split_part(fingerprint, ':', 1) AS id FROM versions WHERE fingerprint IS NOT NULL
        ORDER BY fingerprint COLLATE "C" LIMIT 1)
      UNION ALL
      SELECT (SELECT split_part(v.fingerprint, ':', 1) FROM versions v
        WHERE v.fingerprint COLLATE "C" > keys.id || ';' ORDER BY v.fingerprint COLLATE "C" LIMIT 1)
      FROM keys WHERE keys.id IS NOT NULL)
    SELECT id FROM keys WHERE id IS NOT NULL`.execute(db);
  return rows.map(({ id }) => id);
}
