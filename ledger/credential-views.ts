import { sql, type Kysely } from "kysely";
import { effectivePolicy, type Policy } from "../domain/policy.ts";
import type { LabelCondition } from "../domain/labels.ts";
import type { Scope } from "../domain/scope.ts";
import { sharesOf } from "./credential-shares.ts";
import type { ToldUse } from "./last-uses.ts";
import { labelsFit } from "./object-metadata.ts";
import type { Inventory, StoredEvidence } from "./registry-views.ts";
import { ownsCredential, seesConsumer, seesCredential } from "./scope.ts";
import type { Tables } from "./tables.ts";

type Db = Kysely<Tables>;

export interface CredentialSummary {
  readonly id: string;
  readonly team: string;
  readonly environment: string;
  readonly name: string;
  readonly kind: string;
  readonly order: "overlap" | "single-slot";
  readonly currentVersion: number | null;
  readonly consumers: number;
  readonly openRotation: { readonly id: string; readonly phase: string; readonly hold: number | null } | null;
  readonly lastOutcome: string | null;
  readonly lastClosedAt: Date | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Another team's, on which one of the caller's consumers runs: what is nobody's business is left empty. */
  readonly isShared: boolean;
}

const labelsOf = (scope: Scope) => sql`CASE WHEN ${ownsCredential(scope)} THEN coalesce(m.labels, '{}') ELSE '{}' END`;

const summaryColumns = (
  scope: Scope,
) => sql`c.id, t.name AS team, e.name AS environment, c.name, c.kind, c.rotation_order AS "order",
  c.current_version AS "currentVersion",
  NOT ${ownsCredential(scope)} AS "isShared",
  (SELECT count(*) FROM consumers n
    WHERE n.credential_id = c.id AND n.retired_at IS NULL AND ${seesConsumer(scope)}) AS consumers,
  (SELECT jsonb_build_object('id', r.id, 'phase', r.phase, 'hold', (SELECT h.number FROM holds h
      WHERE h.rotation_id = r.id AND h.decided_at IS NULL AND ${ownsCredential(scope)}))
    FROM rotations r WHERE r.credential_id = c.id AND r.outcome IS NULL) AS "openRotation",
  ${labelsOf(scope)} AS labels, last.outcome AS "lastOutcome", last.closed_at AS "lastClosedAt"`;

const summaryFrom = sql`credentials c JOIN teams t ON t.id = c.team_id JOIN environments e ON e.id = c.environment_id
  LEFT JOIN object_metadata m ON m.object_id = c.id
  LEFT JOIN LATERAL (
    SELECT r.outcome, r.closed_at FROM rotations r WHERE r.credential_id = c.id AND r.outcome IS NOT NULL
    ORDER BY r.created_at DESC LIMIT 1) last ON true`;

export interface CredentialQuery {
  readonly scope: Scope;
  readonly team?: string | undefined;
  readonly environment?: string | undefined;
  readonly selector?: readonly LabelCondition[] | undefined;
  /** The id of the last one of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export async function listCredentials(db: Db, query: CredentialQuery): Promise<readonly CredentialSummary[]> {
  const { rows } = await sql<CredentialSummary>`
    SELECT ${summaryColumns(query.scope)} FROM ${summaryFrom}
    WHERE c.id > ${query.after ?? ""} AND c.retired_at IS NULL AND ${seesCredential(query.scope)}
      AND (${query.team ?? null}::text IS NULL OR t.name = ${query.team ?? null})
      AND (${query.environment ?? null}::text IS NULL OR e.name = ${query.environment ?? null})
      AND ${labelsFit(labelsOf(query.scope), query.selector ?? [])}
    ORDER BY c.id LIMIT ${query.limit}`.execute(db);
  return rows;
}

/**
 * Ids and `team/name` of all credentials that an id, `team/name` or bare name can mean. More than one: say which. The
 * history of one that was deleted is found by its id.
 */
export async function findCredentials(
  db: Db,
  scope: Scope,
  reference: string,
): Promise<readonly { readonly id: string; readonly ref: string }[]> {
  const [first = "", second] = reference.split("/");
  const { rows } = await sql<{ id: string; ref: string }>`
    SELECT c.id, t.name || '/' || c.name AS ref FROM credentials c JOIN teams t ON t.id = c.team_id
    WHERE ${seesCredential(scope)} AND (c.id = ${reference}
      OR (c.retired_at IS NULL AND c.name = ${second ?? first} AND (${second ?? null}::text IS NULL OR t.name = ${first})))
    ORDER BY ref LIMIT 10`.execute(db);
  return rows;
}

export interface VersionView {
  readonly number: number;
  readonly state: string;
  readonly handle: string | null;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
  /** Nobody has given its value. */
  readonly isUnknown: boolean;
  /** What the issuer told last of its use, where it tells it. */
  readonly lastUse: ToldUse | null;
}

export interface ConsumerView {
  readonly id: string;
  readonly team: string;
  /** How its team is reached; empty when it has not said. */
  readonly contact: string;
  readonly name: string;
  readonly kind: string;
  /** Over which it is reached; null for kinds that need none. */
  readonly connection: { readonly ref: string; readonly hasSecret: boolean } | null;
  readonly target: string;
  readonly config: unknown;
  readonly heldVersion: number | null;
  readonly evidence: StoredEvidence;
}

export interface CredentialDetail extends CredentialSummary {
  readonly connection: {
    readonly id: string;
    readonly ref: string;
    readonly hasSecret: boolean;
    readonly identity: string | null;
  } | null;
  readonly principals: readonly string[];
  readonly config: Readonly<Record<string, unknown>>;
  readonly policy: Policy;
  /** `team/name` of the policy that it names. */
  readonly policyRef: string | null;
  readonly inventory: Inventory;
  /** The place of its values in custody. */
  readonly custody: string;
  /** Teams to which its owner has told its name. */
  readonly sharedWith: readonly string[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly versions: readonly VersionView[];
  readonly consumerList: readonly ConsumerView[];
}

export async function readCredential(db: Db, scope: Scope, id: string): Promise<CredentialDetail | undefined> {
  const { rows } = await sql<Omit<CredentialDetail, "versions" | "consumerList">>`
    SELECT ${summaryColumns(scope)}, c.principals, c.config, c.policy, c.inventory, c.custody, ${sharesOf(sql`c.id`)} AS "sharedWith",
      coalesce(m.annotations, '{}') AS annotations,
      (SELECT pt.name || '/' || p.name FROM policies p JOIN teams pt ON pt.id = p.team_id
        WHERE p.id = c.policy_id) AS "policyRef",
      (SELECT jsonb_build_object('id', n.id, 'ref', nt.name || '/' || n.name, 'hasSecret', n.secret_row IS NOT NULL,
          'identity', n.identity)
        FROM connections n JOIN teams nt ON nt.id = n.team_id WHERE n.id = c.connection_id) AS connection
    FROM ${summaryFrom} WHERE c.id = ${id} AND ${seesCredential(scope)}`.execute(db);
  const [stored] = rows;
  if (stored === undefined) return undefined;
  const row = { ...stored, policy: effectivePolicy(stored.policy) };
  const consumerList = await readConsumerViews(db, scope, id);
  if (row.isShared) return { ...row, ...unshared, consumerList };
  const versions = await sql<VersionView>`
    SELECT number, state, handle, created_at AS "createdAt", ended_at AS "endedAt", is_unknown AS "isUnknown",
      last_use AS "lastUse"
    FROM versions WHERE credential_id = ${id} ORDER BY number DESC LIMIT 50`.execute(db);
  return { ...row, versions: versions.rows, consumerList };
}

/** What the owner of a credential keeps from those whose consumers run on it. Its policy rules them too. */
const unshared = {
  principals: [],
  config: {},
  policyRef: null,
  inventory: {},
  custody: "",
  sharedWith: [],
  annotations: {},
  connection: null,
  versions: [],
} as const satisfies Partial<CredentialDetail>;

export async function readConsumerViews(db: Db, scope: Scope, credentialId: string): Promise<readonly ConsumerView[]> {
  const { rows } = await sql<ConsumerView>`
    SELECT n.id, t.name AS team, t.contact, n.name, n.kind, n.target, n.config, n.held_version AS "heldVersion", n.evidence,
      (SELECT jsonb_build_object('ref', ut.name || '/' || u.name, 'hasSecret', u.secret_row IS NOT NULL)
        FROM connections u JOIN teams ut ON ut.id = u.team_id WHERE u.id = n.connection_id) AS connection
    FROM consumers n JOIN teams t ON t.id = n.team_id JOIN credentials c ON c.id = n.credential_id
    WHERE n.credential_id = ${credentialId} AND n.retired_at IS NULL AND ${seesConsumer(scope)} ORDER BY n.name, n.id`.execute(
    db,
  );
  return rows;
}

export async function ownsTheCredential(db: Db, scope: Scope, id: string): Promise<boolean> {
  const { rows } = await sql`SELECT FROM credentials c WHERE c.id = ${id} AND ${ownsCredential(scope)}`.execute(db);
  return rows.length > 0;
}
