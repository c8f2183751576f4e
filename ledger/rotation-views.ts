import { sql, type Kysely } from "kysely";
import type { Code } from "../domain/errors.ts";
import type { Gap } from "../domain/guard.ts";
import type { Direction, Order, Outcome, Phase } from "../domain/order.ts";
import type { Policy } from "../domain/policy.ts";
import type { Scope } from "../domain/scope.ts";
import { seenLacks, type SeenEvidence } from "./consumer-views.ts";
import { ownsCredential, seesConsumer, seesCredential } from "./scope.ts";
import type { Tables } from "./tables.ts";

type Db = Kysely<Tables>;

export interface RotationSummary {
  readonly id: string;
  readonly credentialId: string;
  /** `team/name` */
  readonly credential: string;
  readonly environment: string;
  readonly order: Order;
  readonly phase: Phase;
  readonly direction: Direction;
  readonly outcome: Outcome | null;
  readonly fromVersion: number | null;
  readonly toVersion: number;
  readonly paused: boolean;
  readonly urgent: boolean;
  readonly phaseSince: Date;
  readonly createdAt: Date;
  readonly closedAt: Date | null;
  /** Number of the hold that waits for a person. */
  readonly openHold: number | null;
}

const summaryColumns = (
  scope: Scope,
) => sql`r.id, r.credential_id AS "credentialId", t.name || '/' || c.name AS credential,
  e.name AS environment, r.rotation_order AS "order", r.phase, r.direction, r.outcome, r.from_version AS "fromVersion",
  r.to_version AS "toVersion", r.paused, r.urgent, r.phase_since AS "phaseSince", r.created_at AS "createdAt",
  r.closed_at AS "closedAt",
  (SELECT h.number FROM holds h WHERE h.rotation_id = r.id AND h.decided_at IS NULL
    AND ${ownsCredential(scope)}) AS "openHold"`;

const summaryFrom = sql`rotations r JOIN credentials c ON c.id = r.credential_id JOIN teams t ON t.id = c.team_id
  JOIN environments e ON e.id = c.environment_id`;

export interface RotationQuery {
  readonly scope: Scope;
  readonly credentialId?: string | undefined;
  readonly onlyOpen?: boolean | undefined;
  /** The id of the last one of the page before. */
  readonly before?: string | undefined;
  readonly limit: number;
}

/** Newest first. */
export async function listRotations(db: Db, query: RotationQuery): Promise<readonly RotationSummary[]> {
  const { rows } = await sql<RotationSummary>`
    SELECT ${summaryColumns(query.scope)} FROM ${summaryFrom}
    WHERE ${seesCredential(query.scope)} AND (${query.credentialId ?? null}::text IS NULL OR r.credential_id = ${query.credentialId ?? null})
      AND (NOT ${query.onlyOpen === true} OR r.outcome IS NULL)
      AND (${query.before ?? null}::text IS NULL OR r.id < ${query.before ?? null})
    ORDER BY r.id DESC LIMIT ${query.limit}`.execute(db);
  return rows;
}

export interface RotationRecord extends RotationSummary {
  readonly kind: string;
  /** Of the team that owns the credential. */
  readonly contact: string;
  readonly policy: Policy;
  readonly requestedBy: string;
  readonly reason: string;
  readonly extendedMs: number;
  readonly attempts: number;
  readonly lastCode: Code | null;
  readonly waitUntil: Date | null;
  /** False: no worker has begun it yet. */
  readonly isStarted: boolean;
  /** The ledger's clock, against which every time of this answer is to be read. */
  readonly now: Date;
  /** Of another team's credential: who asked for it, why, and what troubles it are left out. */
  readonly isShared: boolean;
}

export async function readRotation(db: Db, scope: Scope, id: string): Promise<RotationRecord | undefined> {
  const { rows } = await sql<RotationRecord>`
    SELECT ${summaryColumns(scope)}, NOT ${ownsCredential(scope)} AS "isShared", c.kind, t.contact, r.policy, r.requested_by AS "requestedBy", r.reason, r.extended_ms AS "extendedMs",
      r.attempts, r.last_code AS "lastCode", r.wait_until AS "waitUntil", clock_timestamp() AS now,
      NOT EXISTS (SELECT FROM starts s WHERE s.rotation_id = r.id) AS "isStarted"
    FROM ${summaryFrom} WHERE r.id = ${id} AND ${seesCredential(scope)}`.execute(db);
  const [row] = rows;
  return row?.isShared === true ? { ...row, requestedBy: "", reason: "", attempts: 0, lastCode: null } : row;
}

export interface HoldView {
  readonly id: string;
  readonly number: number;
  readonly phase: Phase;
  readonly code: Code;
  readonly detail: string;
  readonly gaps: readonly Gap[];
  readonly openedAt: Date;
  readonly decision: string | null;
  readonly decidedBy: string | null;
  readonly reason: string | null;
  readonly decidedAt: Date | null;
}

export async function readHolds(db: Db, rotationId: string): Promise<readonly HoldView[]> {
  const { rows } = await sql<HoldView>`
    SELECT id, number, phase, code, detail, gaps, opened_at AS "openedAt", decision, decided_by AS "decidedBy", reason,
      decided_at AS "decidedAt"
    FROM holds WHERE rotation_id = ${rotationId} ORDER BY number`.execute(db);
  return rows;
}

/** Whom to ask about a consumer or credential. */
export interface OwnerView {
  /** `team/name` of a consumer; the credential's own team has none. */
  readonly consumer: string | null;
  readonly team: string;
  /** As the team has registered it; empty when it has not. */
  readonly contact: string;
}

/** Who owns these consumers, keyed by consumer; those taken out of the registry have an owner all the same. */
export async function readOwners(db: Db, consumerIds: readonly string[]): Promise<ReadonlyMap<string, OwnerView>> {
  const { rows } = await sql<OwnerView & { readonly id: string; readonly consumer: string }>`
    SELECT n.id, t.name || '/' || n.name AS consumer, t.name AS team, t.contact
    FROM consumers n JOIN teams t ON t.id = n.team_id WHERE n.id = ANY(${[...consumerIds]})`.execute(db);
  return new Map(rows.map(({ id, ...owner }) => [id, owner]));
}

export interface ConsumerProgress {
  readonly id: string;
  /** Of the last delivery in this rotation; null: none yet. */
  readonly deliveredVersion: number | null;
  readonly deliveredAt: Date | null;
  readonly evidence: readonly ShownEvidence[];
}

/** The latest of each source. */
export interface ShownEvidence extends SeenEvidence {
  /** Collected after the last delivery; older evidence counts for nothing. */
  readonly isFresh: boolean;
}

/** How far each consumer of the rotation is. */
export async function readConsumerProgress(
  db: Db,
  scope: Scope,
  rotationId: string,
): Promise<readonly ConsumerProgress[]> {
  const { rows } = await sql<ConsumerProgress>`
    SELECT n.id, d.version AS "deliveredVersion", d.created_at AS "deliveredAt",
      coalesce((
        SELECT jsonb_agg(jsonb_build_object('source', v.source, 'strength', v.strength, 'version', v.version, 'complete', v.complete,
          'instances', v.instances, 'lacks', ${seenLacks(scope)}, 'at', v.at, 'isFresh', v.sequence > coalesce(d.sequence, 0))
          ORDER BY v.sequence DESC)
        FROM (SELECT DISTINCT ON (source) * FROM evidence
          WHERE rotation_id = r.id AND consumer_id = n.id ORDER BY source, sequence DESC) v), '[]'::jsonb) AS evidence
    FROM rotations r JOIN consumers n ON n.credential_id = r.credential_id AND n.retired_at IS NULL
    JOIN credentials c ON c.id = r.credential_id AND ${seesConsumer(scope)}
    LEFT JOIN LATERAL (
      SELECT version, created_at, sequence FROM deliveries
      WHERE rotation_id = r.id AND consumer_id = n.id AND sequence IS NOT NULL ORDER BY sequence DESC LIMIT 1) d ON true
    WHERE r.id = ${rotationId} ORDER BY n.name, n.id`.execute(db);
  return rows;
}

export interface SeenSessionView {
  readonly version: number | null;
  readonly principal: string;
  readonly database: string;
  readonly address: string;
  readonly applicationName: string;
  readonly startedAt: string;
}

/** The newest sample of the issuer's sessions in this rotation. Handles are told as the numbers of their versions. */
export async function readLastUsage(
  db: Db,
  rotationId: string,
): Promise<{ readonly at: Date; readonly sessions: readonly SeenSessionView[] } | undefined> {
  const { rows } = await sql<{ at: Date; sessions: readonly SeenSessionView[] }>`
    SELECT u.at, coalesce((
      SELECT jsonb_agg(s.session || jsonb_build_object('version', v.number) ORDER BY v.number, s.session ->> 'address')
      FROM jsonb_each(u.usage -> 'sessions') AS h (handle, list) CROSS JOIN jsonb_array_elements(h.list) AS s (session)
      LEFT JOIN versions v ON v.credential_id = r.credential_id AND v.handle = h.handle), '[]'::jsonb) AS sessions
    FROM usage_samples u JOIN rotations r ON r.id = u.rotation_id
    WHERE u.rotation_id = ${rotationId} ORDER BY u.sequence DESC LIMIT 1`.execute(db);
  return rows[0];
}

export interface CommandView {
  readonly id: string;
  readonly kind: string;
  /** Of `decide`. */
  readonly decision: string | null;
  readonly actor: string;
  readonly state: "pending" | "consumed" | "refused";
  readonly refusal: string | null;
  readonly at: Date;
}

export async function readCommands(db: Db, rotationId: string): Promise<readonly CommandView[]> {
  const { rows } = await sql<CommandView>`
    SELECT id, kind, arguments ->> 'decision' AS decision, actor, state, refusal, at FROM commands WHERE rotation_id = ${rotationId} ORDER BY at, id
    `.execute(db);
  return rows;
}
