import { sql, type Kysely } from "kysely";
import { connectionCase, type ConnectionCase, type ConsumerCase } from "./rotation-cases.ts";
import type { Tables } from "./tables.ts";

/** A credential as its issuer is to be asked about it. */
export interface CredentialPlace {
  readonly id: string;
  /** `team/name` */
  readonly name: string;
  readonly connection: ConnectionCase;
  readonly config: unknown;
  /** Handles of its live versions, newest last. */
  readonly live: readonly string[];
}

/** A consumer as it is to be looked at. */
export type ConsumerPlace = Pick<
  ConsumerCase,
  "consumerId" | "team" | "name" | "kind" | "connection" | "target" | "config"
> & {
  /** Null: rekey has never written there. */
  readonly heldVersion: number | null;
};

/** What can be looked at outside, each with an even chance where there is more than fits. */
export interface DoctorPlaces {
  readonly instance: string;
  readonly connections: readonly ConnectionCase[];
  /** Adopted, and with no rotation open: a rotation looks by itself. */
  readonly credentials: readonly CredentialPlace[];
  readonly consumers: readonly ConsumerPlace[];
  /** How many of each there are in all. */
  readonly counts: { readonly connections: number; readonly credentials: number; readonly consumers: number };
}

type StoredConnection = ConnectionCase & { readonly identity: string | null };

const asCase = (stored: StoredConnection): ConnectionCase => ({ ...stored, identity: stored.identity ?? undefined });
const asPlace = ({ connection, ...row }: ConsumerRow): ConsumerPlace => ({
  ...row,
  connection: connection === null ? undefined : asCase(connection),
});

type ConsumerRow = Omit<ConsumerPlace, "connection"> & { readonly connection: StoredConnection | null };

interface Counted<Row> {
  readonly one: Row;
  readonly all: number;
}

/** Of what is registered in a pool, `most` of each. */
export async function readDoctorPlaces(db: Kysely<Tables>, pool: string, most: number): Promise<DoctorPlaces> {
  const inPool = sql`FROM connections u JOIN teams ut ON ut.id = u.team_id`;
  const connections = await sql<Counted<StoredConnection>>`
    SELECT ${connectionCase} AS one, count(*) OVER () AS all ${inPool}
    WHERE u.retired_at IS NULL AND u.pool = ${pool} ORDER BY random() LIMIT ${most}`.execute(db);
  const credentials = await sql<Counted<CredentialPlace>>`
    SELECT jsonb_build_object('id', c.id, 'name', t.name || '/' || c.name, 'connection', ${connectionCase}, 'config', c.config,
      'live', (SELECT coalesce(jsonb_agg(v.handle ORDER BY v.number), '[]') FROM versions v
        WHERE v.credential_id = c.id AND v.state IN ('live', 'disabled') AND v.handle IS NOT NULL)) AS one,
      count(*) OVER () AS all
    ${inPool} JOIN credentials c ON c.connection_id = u.id JOIN teams t ON t.id = c.team_id
    WHERE c.retired_at IS NULL AND u.pool = ${pool} AND u.secret_row IS NOT NULL AND c.current_version IS NOT NULL
      AND NOT EXISTS (SELECT FROM rotations r WHERE r.credential_id = c.id AND r.outcome IS NULL)
    ORDER BY random() LIMIT ${most}`.execute(db);
  const consumers = await sql<Counted<ConsumerRow>>`
    SELECT jsonb_build_object('consumerId', s.id, 'team', t.name, 'name', s.name, 'kind', s.kind, 'target', s.target,
      'config', s.config, 'heldVersion', s.held_version, 'connection', CASE WHEN u.id IS NOT NULL THEN ${connectionCase} END) AS one,
      count(*) OVER () AS all
    FROM consumers s JOIN teams t ON t.id = s.team_id JOIN credentials c ON c.id = s.credential_id
    JOIN connections n ON n.id = c.connection_id
    LEFT JOIN connections u ON u.id = s.connection_id LEFT JOIN teams ut ON ut.id = u.team_id
    WHERE s.retired_at IS NULL AND coalesce(u.pool, n.pool) = ${pool} ORDER BY random() LIMIT ${most}`.execute(db);
  const { rows } = await sql<{ id: string }>`SELECT id FROM instance`.execute(db);
  const ones = <Row>(counted: readonly Counted<Row>[]) => counted.map(({ one }) => one);
  const total = ([first]: readonly Counted<unknown>[]) => first?.all ?? 0;
  return {
    instance: rows[0]?.id ?? "",
    connections: ones(connections.rows).map(asCase),
    credentials: ones(credentials.rows).map((one) => ({
      ...one,
      connection: asCase(one.connection as StoredConnection),
    })),
    consumers: ones(consumers.rows).map(asPlace),
    counts: {
      connections: total(connections.rows),
      credentials: total(credentials.rows),
      consumers: total(consumers.rows),
    },
  };
}

/** The ledger's clock, milliseconds since 1970. */
export async function readClock(db: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ at: Date }>`SELECT clock_timestamp() AS at`.execute(db);
  return rows[0]?.at.getTime() ?? 0;
}
