import { sql, type Kysely } from "kysely";
import type { Strength } from "../domain/evidence.ts";
import type { Direction, Order, Phase } from "../domain/order.ts";
import { effectivePolicy, stricter, type Policy } from "../domain/policy.ts";
import type { Tables } from "./tables.ts";

/** A version as the ledger knows it. */
export interface VersionCase {
  readonly versionId: string;
  readonly number: number;
  readonly state: string;
  readonly operationKey: string;
  readonly handle: string | undefined;
  /** The issuer's own words: ISO 8601. */
  readonly effectiveAt: string | undefined;
  /** Nobody has given its value: consumers have it and rekey does not. */
  readonly isUnknown: boolean;
  /** It has leaked: nobody gets it any more. */
  readonly isCompromised: boolean;
}

export interface ConsumerCase {
  readonly consumerId: string;
  readonly team: string;
  readonly name: string;
  readonly kind: string;
  /** Over which it is reached; undefined for kinds that need none. */
  readonly connection: ConnectionCase | undefined;
  readonly target: string;
  readonly config: unknown;
  readonly wanted: Strength | undefined;
  /** Config of each evidence collector, keyed by its kind. */
  readonly collectors: Readonly<Record<string, unknown>>;
  readonly revision: number;
  readonly heldVersion: number | undefined;
  /** Digest with which the last delivery was read back; undefined before the first. */
  readonly heldDigest: string | undefined;
  /** Of this rotation: its last recorded delivery; undefined where one of another version was begun since. */
  readonly delivery: { readonly version: number; readonly sequence: number } | undefined;
  /** A delivery of the candidate was at least intended: the target may hold it. */
  readonly isTouched: boolean;
  /** It may be the leak, and nobody has released it. */
  readonly isSuspected: boolean;
}

export interface ConnectionCase {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly settings: unknown;
  readonly pool: string;
  readonly secret_row: string | null;
  readonly secret_revision: number;
  /** What the server called itself; undefined while nobody has looked at its new address. */
  readonly identity: string | undefined;
  readonly revision: number;
  /** How many requests go over it in a second; null: as many as there are. */
  readonly requestsPerSecond: number | null;
}

/** Everything that a step derives from the ledger about one rotation. */
export interface RotationCase {
  readonly rotationId: string;
  readonly credentialId: string;
  readonly credentialName: string;
  readonly instance: string;
  readonly epoch: number;
  readonly order: Order;
  readonly phase: Phase;
  readonly direction: Direction;
  readonly urgent: boolean;
  /** An emergency ends what has leaked before the consumers have another, whoever breaks. */
  readonly isContained: boolean;
  readonly policy: Policy;
  readonly extendedMs: number;
  readonly acceptedUnproven: boolean;
  /** Elapsed by the ledger's clock. */
  readonly inPhaseMs: number;
  /** Since the step of this phase began to ask, or a worker came back to it after a long absence. */
  readonly askedForMs: number;
  readonly attempts: number;
  /** When a step last began, as the ledger writes it: names the attempt that read this. */
  readonly lookedAt: string;
  readonly config: unknown;
  readonly connection: ConnectionCase;
  /** Undefined when the credential has no version before. */
  readonly from: VersionCase | undefined;
  readonly to: VersionCase;
  /** Handles of all other versions that live at the issuer. */
  readonly keep: readonly string[];
  readonly consumers: readonly ConsumerCase[];
  /** Suspected to be the leak, and not released: nothing is brought to them, and nothing they show counts. */
  readonly suspects: readonly ConsumerCase[];
  /**
   * Revisions of the consumers and of all connections when the rotation was reserved, and the server that its preflight
   * found: an edited connection does not lead it to another one.
   */
  readonly pinned: {
    readonly consumers: Readonly<Record<string, number>>;
    readonly connections: PinnedConnections;
    readonly identity?: string;
  };
}

/** Revisions of connections, keyed by id. */
export type PinnedConnections = Readonly<Record<string, number>>;

interface CaseRow {
  readonly id: string;
  readonly credential_id: string;
  readonly credential_name: string;
  readonly instance: string;
  readonly epoch: number;
  readonly rotation_order: Order;
  readonly phase: Phase;
  readonly direction: Direction;
  readonly urgent: boolean;
  readonly is_contained: boolean;
  readonly policy: Partial<Policy>;
  readonly current_policy: Partial<Policy>;
  readonly extended_ms: number;
  readonly accepted_unproven: boolean;
  readonly in_phase_ms: number;
  readonly asked_for_ms: number;
  readonly attempts: number;
  readonly looked_at: string;
  readonly from_version: number | null;
  readonly to_version: number;
  readonly pinned: RotationCase["pinned"];
  readonly config: unknown;
  readonly connection: ConnectionCase & { readonly identity: string | null };
  /** By number. */
  readonly versions: readonly VersionRow[];
}

export interface VersionRow {
  readonly id: string;
  readonly number: number;
  readonly state: string;
  readonly operation_key: string;
  readonly handle: string | null;
  readonly effective_at: string | null;
  readonly is_unknown: boolean;
  readonly is_compromised: boolean;
}

/** A `ConnectionCase` of connection `u` of team `ut`. */
export const connectionCase = sql`jsonb_build_object('id', u.id, 'name', ut.name || '/' || u.name, 'kind', u.kind,
  'settings', u.settings, 'pool', u.pool, 'secret_row', u.secret_row, 'secret_revision', u.secret_revision,
  'identity', u.identity, 'revision', u.revision, 'requestsPerSecond', u.requests_per_second)`;

/** What the steps need to know, for many rotations in two statements, keyed by rotation. */
export async function readCases(
  db: Kysely<Tables>,
  rotationIds: readonly string[],
): Promise<ReadonlyMap<string, RotationCase>> {
  const { rows } = await sql<CaseRow>`
    SELECT r.id, r.credential_id, t.name || '/' || c.name AS credential_name, i.id AS instance, i.epoch, r.rotation_order,
      r.phase, r.direction, r.urgent, r.policy, c.policy AS current_policy,
      EXISTS (SELECT FROM emergencies e WHERE e.credential_id = c.id AND e.outcome IS NULL AND e.contain) AS is_contained, r.extended_ms, r.accepted_unproven,
      (extract(epoch FROM clock_timestamp() - r.phase_since) * 1000)::float8 AS in_phase_ms,
      (extract(epoch FROM clock_timestamp() - greatest(r.asked_since, r.back_since)) * 1000)::float8 AS asked_for_ms,
      r.attempts, r.looked_at::text AS looked_at, r.from_version, r.to_version, r.pinned, c.config,
      ${connectionCase} AS connection, (
        SELECT jsonb_agg(jsonb_build_object('id', v.id, 'number', v.number, 'state', v.state,
          'operation_key', v.operation_key, 'handle', v.handle, 'effective_at', v.effective_at,
          'is_unknown', v.is_unknown, 'is_compromised', v.compromised_at IS NOT NULL) ORDER BY v.number)
        FROM versions v WHERE v.credential_id = c.id) AS versions
    FROM rotations r
    JOIN credentials c ON c.id = r.credential_id
    JOIN teams t ON t.id = c.team_id
    JOIN connections u ON u.id = c.connection_id
    JOIN teams ut ON ut.id = u.team_id
    CROSS JOIN instance i
    WHERE r.id = ANY(${[...rotationIds]})`.execute(db);
  const consumers = await readConsumers(db, rotationIds);
  return new Map(rows.map((row) => [row.id, asCase(row, consumers.get(row.id) ?? [])]));
}

function asCase(row: CaseRow, consumers: readonly ConsumerCase[]): RotationCase {
  const { versions } = row;
  const numbered = (number: number | null): VersionCase | undefined => {
    const found = versions.find((version) => version.number === number);
    return found === undefined ? undefined : asVersion(found);
  };
  const to = numbered(row.to_version);
  if (to === undefined) throw new Error("A rotation without the version it is to make.");
  return {
    rotationId: row.id,
    credentialId: row.credential_id,
    credentialName: row.credential_name,
    instance: row.instance,
    epoch: row.epoch,
    order: row.rotation_order,
    phase: row.phase,
    direction: row.direction,
    urgent: row.urgent,
    isContained: row.is_contained,
    policy: stricter(effectivePolicy(row.policy), effectivePolicy(row.current_policy)),
    extendedMs: row.extended_ms,
    acceptedUnproven: row.accepted_unproven,
    inPhaseMs: row.in_phase_ms,
    askedForMs: row.asked_for_ms,
    attempts: row.attempts,
    lookedAt: row.looked_at,
    config: row.config,
    connection: { ...row.connection, identity: row.pinned.identity ?? row.connection.identity ?? undefined },
    from: numbered(row.from_version),
    to,
    keep: versions
      .filter(({ number, state }) => number !== row.to_version && (state === "live" || state === "disabled"))
      .flatMap(({ handle }) => handle ?? []),
    consumers: consumers.filter(({ isSuspected }) => !isSuspected),
    suspects: consumers.filter(({ isSuspected }) => isSuspected),
    pinned: row.pinned,
  };
}

export const asVersion = (row: VersionRow): VersionCase => ({
  versionId: row.id,
  number: row.number,
  state: row.state,
  operationKey: row.operation_key,
  isUnknown: row.is_unknown,
  isCompromised: row.is_compromised,
  handle: row.handle ?? undefined,
  effectiveAt: row.effective_at ?? undefined,
});

export interface ConsumerRow {
  readonly rotation_id: string;
  readonly id: string;
  readonly team: string;
  readonly name: string;
  readonly kind: string;
  readonly connection: (ConnectionCase & { readonly identity: string | null }) | null;
  readonly target: string;
  readonly config: unknown;
  readonly evidence: { readonly wanted?: Strength; readonly collectors?: Readonly<Record<string, unknown>> };
  readonly revision: number;
  readonly held_version: number | null;
  readonly held_digest: string | null;
  readonly delivered_version: number | null;
  readonly delivered_sequence: number | null;
  readonly is_touched: boolean;
  readonly is_suspected: boolean;
}

/** Of consumer `n`, with what `consumerJoins` brings: all of a `ConsumerRow` that is so outside of a rotation too. */
export const consumerColumns = sql`n.id, t.name AS team, n.name, n.kind, n.target, n.config, n.evidence, n.revision,
  CASE WHEN u.id IS NOT NULL THEN ${connectionCase} END AS connection, n.held_version, n.held_digest,
  EXISTS (SELECT FROM suspicions s WHERE s.consumer_id = n.id AND s.released_at IS NULL) AS is_suspected`;
export const consumerJoins = sql`JOIN teams t ON t.id = n.team_id
  LEFT JOIN connections u ON u.id = n.connection_id
  LEFT JOIN teams ut ON ut.id = u.team_id`;

/**
 * Those pinned and those registered since, but not those retired: the guard asks about them. On the way
 * forward a delivery of another version that was begun later and never recorded may lie there now: when an undo is turned
 * forward again, what it brought back in its last moment.
 */
async function readConsumers(
  db: Kysely<Tables>,
  rotationIds: readonly string[],
): Promise<ReadonlyMap<string, readonly ConsumerCase[]>> {
  const { rows } = await sql<ConsumerRow>`
    SELECT r.id AS rotation_id, ${consumerColumns}, d.version AS delivered_version, d.sequence AS delivered_sequence,
      EXISTS (
        SELECT FROM deliveries x WHERE x.rotation_id = r.id AND x.consumer_id = n.id AND x.version = r.to_version
      ) AS is_touched
    FROM rotations r
    JOIN consumers n ON n.credential_id = r.credential_id AND n.retired_at IS NULL
    ${consumerJoins}
    LEFT JOIN LATERAL (
      SELECT version, sequence, epoch, number FROM deliveries
      WHERE rotation_id = r.id AND consumer_id = n.id AND target = n.target AND sequence IS NOT NULL
      ORDER BY sequence DESC LIMIT 1
    ) d ON r.direction = 'undo' OR NOT EXISTS (
      SELECT FROM deliveries x WHERE x.rotation_id = r.id AND x.consumer_id = n.id AND x.target = n.target
        AND x.sequence IS NULL AND x.version <> d.version AND (x.epoch, x.number) > (d.epoch, d.number))
    WHERE r.id = ANY(${[...rotationIds]}) ORDER BY n.name, n.id`.execute(db);
  const grouped = Map.groupBy(rows, (row) => row.rotation_id);
  return new Map([...grouped].map(([rotationId, found]) => [rotationId, found.map(asConsumer)]));
}

export const asConsumer = (row: ConsumerRow): ConsumerCase => ({
  consumerId: row.id,
  team: row.team,
  name: row.name,
  kind: row.kind,
  connection:
    row.connection === null ? undefined : { ...row.connection, identity: row.connection.identity ?? undefined },
  target: row.target,
  config: row.config,
  wanted: row.evidence.wanted,
  collectors: row.evidence.collectors ?? {},
  revision: row.revision,
  heldVersion: row.held_version ?? undefined,
  heldDigest: row.held_digest ?? undefined,
  delivery:
    row.delivered_version === null || row.delivered_sequence === null
      ? undefined
      : { version: row.delivered_version, sequence: row.delivered_sequence },
  isTouched: row.is_touched,
  isSuspected: row.is_suspected,
});
