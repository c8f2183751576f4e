import { sql, type Kysely } from "kysely";
import type { GivenPolicy } from "../domain/policy.ts";
import type { Tables } from "./tables.ts";

/** `team/name`, as people write it. */
export interface TeamRef {
  readonly team: string;
  readonly name: string;
}

export interface TeamRow {
  readonly id: string;
  readonly name: string;
  readonly contact: string;
  readonly policy: GivenPolicy;
  /** Rotations that may be open at once; null: no limit. */
  readonly maxConcurrent: number | null;
}

export interface EnvironmentRow {
  readonly id: string;
  readonly name: string;
  readonly policy: GivenPolicy;
  /** Rotations that may be open at once; null: no limit. */
  readonly maxConcurrent: number | null;
}

export interface PolicyRow {
  readonly id: string;
  readonly team: string;
  readonly name: string;
  readonly policy: GivenPolicy;
  /** `team/name` of the credentials that it rules. */
  readonly usedBy: readonly string[];
}

export interface ConnectionRow {
  readonly id: string;
  readonly team: string;
  readonly environment: string;
  readonly name: string;
  readonly kind: string;
  readonly pool: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly adminPrincipal: string;
  readonly identity: string | null;
  readonly secretRow: string | null;
  readonly secretRevision: number;
  readonly secretFingerprint: string | null;
  /** Rotations that may be open at once; null: the default. */
  readonly maxConcurrent: number | null;
  readonly requestsPerSecond: number | null;
}

/** Who answers for a credential, and what it opens to whom. */
export interface Inventory {
  /** Names of teams. */
  readonly owner?: string | undefined;
  readonly backupOwner?: string | undefined;
  readonly criticality?: string | undefined;
  readonly scopes?: readonly string[] | undefined;
  /** ISO 8601: a day, or a time with its zone. */
  readonly expiresAt?: string | undefined;
  /** Systems and vendors that could read a version, and need not run on it. */
  readonly readers?: readonly string[] | undefined;
}

export interface CredentialRow {
  readonly id: string;
  readonly team: string;
  readonly environment: string;
  readonly name: string;
  readonly connectionId: string;
  /** `team/name` */
  readonly connection: string;
  readonly kind: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly principals: readonly string[];
  /** What its own manifest says, or the policy that it names. */
  readonly policy: GivenPolicy;
  /** `team/name` of the policy that it names; null: its manifest says it itself. */
  readonly policyRef: string | null;
  readonly inventory: Inventory;
  /** The place of its values in custody. */
  readonly custody: string;
  readonly hasVersions: boolean;
  readonly openRotation: string | null;
  /** Its phase. */
  readonly openPhase: string | null;
}

export interface ConsumerRow {
  readonly id: string;
  readonly credentialId: string;
  /** `team/name` */
  readonly credential: string;
  readonly team: string;
  readonly name: string;
  readonly kind: string;
  readonly connectionId: string | null;
  /** `team/name` of the connection over which it is reached. */
  readonly connection: string | null;
  readonly target: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly evidence: StoredEvidence;
  /** The open rotation that has put a version there, or has meant to; its undo looks where the consumer reads. */
  readonly touchedBy: string | null;
}

/** What a consumer says of how it can be asked. */
export interface StoredEvidence {
  readonly wanted?: string | undefined;
  readonly collectors: Readonly<Record<string, unknown>>;
}

type Db = Kysely<Tables>;
type Ids = readonly string[];

export async function findTeams(db: Db, names: readonly string[]): Promise<readonly TeamRow[]> {
  const { rows } =
    await sql<TeamRow>`SELECT id, name, contact, policy, max_concurrent AS "maxConcurrent" FROM teams WHERE name = ANY(${[...names]}) AND retired_at IS NULL`.execute(
      db,
    );
  return rows;
}

export async function findEnvironments(db: Db, names: readonly string[]): Promise<readonly EnvironmentRow[]> {
  const { rows } = await sql<EnvironmentRow>`
    SELECT id, name, policy, max_concurrent AS "maxConcurrent" FROM environments WHERE name = ANY(${[...names]}) AND retired_at IS NULL`.execute(
    db,
  );
  return rows;
}

export async function findPolicies(db: Db, refs: readonly TeamRef[]): Promise<readonly PolicyRow[]> {
  const { rows } = await sql<PolicyRow>`
    SELECT p.id, t.name AS team, p.name, p.policy, (
      SELECT coalesce(jsonb_agg(ct.name || '/' || c.name ORDER BY ct.name, c.name), '[]')
      FROM credentials c JOIN teams ct ON ct.id = c.team_id WHERE c.policy_id = p.id AND c.retired_at IS NULL) AS "usedBy"
    FROM jsonb_to_recordset(${JSON.stringify(refs)}::jsonb) AS g (team text, name text)
    JOIN teams t ON t.name = g.team JOIN policies p ON p.team_id = t.id AND p.name = g.name AND p.retired_at IS NULL
    `.execute(db);
  return rows;
}

export async function findConnections(db: Db, refs: readonly TeamRef[]): Promise<readonly ConnectionRow[]> {
  const { rows } = await sql<ConnectionRow>`
    SELECT n.id, t.name AS team, e.name AS environment, n.name, n.kind, n.pool, n.settings, n.identity,
      n.admin_principal AS "adminPrincipal", n.secret_row AS "secretRow", n.secret_revision AS "secretRevision",
      n.secret_fingerprint AS "secretFingerprint", n.max_concurrent AS "maxConcurrent",
      n.requests_per_second AS "requestsPerSecond"
    FROM jsonb_to_recordset(${JSON.stringify(refs)}::jsonb) AS g (team text, name text)
    JOIN teams t ON t.name = g.team JOIN connections n ON n.team_id = t.id AND n.name = g.name AND n.retired_at IS NULL
    JOIN environments e ON e.id = n.environment_id`.execute(db);
  return rows;
}

/** Locks the rows: registering and changing what hangs on a credential excludes its guard and its reservation. */
export async function lockCredentials(db: Db, refs: readonly TeamRef[]): Promise<readonly CredentialRow[]> {
  const wanted = JSON.stringify(refs);
  // A statement of its own: what the next one reads is then newer than whatever the lock had to wait for.
  await sql`
    SELECT c.id FROM jsonb_to_recordset(${wanted}::jsonb) AS g (team text, name text)
    JOIN teams t ON t.name = g.team JOIN credentials c ON c.team_id = t.id AND c.name = g.name AND c.retired_at IS NULL
    ORDER BY c.id FOR UPDATE OF c`.execute(db);
  return readCredentials(db, refs);
}

export async function readCredentials(db: Db, refs: readonly TeamRef[]): Promise<readonly CredentialRow[]> {
  const { rows } = await sql<CredentialRow>`
    SELECT c.id, t.name AS team, e.name AS environment, c.name, c.connection_id AS "connectionId", c.kind, c.config,
      (SELECT nt.name || '/' || n.name FROM connections n JOIN teams nt ON nt.id = n.team_id
        WHERE n.id = c.connection_id) AS connection,
      c.principals, coalesce((SELECT p.policy FROM policies p WHERE p.id = c.policy_id), c.own_policy) AS policy,
      c.inventory, c.custody,
      (SELECT pt.name || '/' || p.name FROM policies p JOIN teams pt ON pt.id = p.team_id
        WHERE p.id = c.policy_id) AS "policyRef",
      EXISTS (SELECT FROM versions v WHERE v.credential_id = c.id) AS "hasVersions",
      (SELECT r.id FROM rotations r WHERE r.credential_id = c.id AND r.outcome IS NULL) AS "openRotation",
      (SELECT r.phase FROM rotations r WHERE r.credential_id = c.id AND r.outcome IS NULL) AS "openPhase"
    FROM jsonb_to_recordset(${JSON.stringify(refs)}::jsonb) AS g (team text, name text)
    JOIN teams t ON t.name = g.team JOIN credentials c ON c.team_id = t.id AND c.name = g.name AND c.retired_at IS NULL
    JOIN environments e ON e.id = c.environment_id`.execute(db);
  return rows;
}

/** The registered consumers of these credentials, or those that are reached over these connections. */
export async function findConsumers(
  db: Db,
  {
    credentials = [],
    connections = [],
    targets = [],
  }: { readonly credentials?: Ids; readonly connections?: Ids; readonly targets?: readonly string[] },
): Promise<readonly ConsumerRow[]> {
  const { rows } = await sql<ConsumerRow>`
    SELECT n.id, n.credential_id AS "credentialId", t.name AS team, n.name, n.kind, n.target, n.config, n.evidence,
      n.connection_id AS "connectionId",
      (SELECT ot.name || '/' || o.name FROM credentials o JOIN teams ot ON ot.id = o.team_id
        WHERE o.id = n.credential_id) AS credential,
      (SELECT ct.name || '/' || c.name FROM connections c JOIN teams ct ON ct.id = c.team_id
        WHERE c.id = n.connection_id) AS connection,
      (SELECT r.id FROM rotations r WHERE r.credential_id = n.credential_id AND r.outcome IS NULL AND EXISTS (
        SELECT FROM deliveries d WHERE d.rotation_id = r.id AND d.consumer_id = n.id)) AS "touchedBy"
    FROM consumers n JOIN teams t ON t.id = n.team_id
    WHERE (n.credential_id = ANY(${[...credentials]}) OR n.connection_id = ANY(${[...connections]})
        OR n.target = ANY(${[...targets]}))
      AND n.retired_at IS NULL`.execute(db);
  return rows;
}

/** A login that somebody has, as its connection's own or as a credential's. */
export interface PrincipalClaim {
  readonly connectionId: string;
  /** What the server called itself; connections with one identity share their logins. */
  readonly identity: string | null;
  readonly principal: string;
  /** `team/name` of the credential; null: it is the connection's own. */
  readonly credential: string | null;
  readonly connection: string;
}

/** Every claim on these connections and on others that are known to lead to the same servers. */
export async function findPrincipalClaims(
  db: Db,
  connectionIds: readonly string[],
): Promise<readonly PrincipalClaim[]> {
  const { rows } = await sql<PrincipalClaim>`
    WITH reached AS (
      SELECT n.id, n.identity, n.admin_principal, t.name || '/' || n.name AS name
      FROM connections n JOIN teams t ON t.id = n.team_id
      WHERE n.retired_at IS NULL AND (n.id = ANY(${[...connectionIds]})
        OR n.identity IN (SELECT identity FROM connections WHERE id = ANY(${[...connectionIds]}))))
    SELECT id AS "connectionId", identity, admin_principal AS principal, NULL AS credential, name AS connection
    FROM reached
    UNION ALL
    SELECT r.id, r.identity, p, t.name || '/' || c.name, r.name
    FROM reached r JOIN credentials c ON c.connection_id = r.id AND c.retired_at IS NULL
    JOIN teams t ON t.id = c.team_id CROSS JOIN unnest(c.principals) AS p`.execute(db);
  return rows;
}
