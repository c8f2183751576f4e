import { sql, type Kysely } from "kysely";
import type { Order } from "../domain/order.ts";
import { effectivePolicy, type Policy } from "../domain/policy.ts";
import {
  asConsumer,
  asVersion,
  connectionCase,
  consumerColumns,
  consumerJoins,
  type ConnectionCase,
  type ConsumerCase,
  type ConsumerRow,
  type VersionCase,
  type VersionRow,
} from "./rotation-cases.ts";
import type { Tables } from "./tables.ts";

/** What it takes to look at one consumer outside of any rotation. */
export interface TestedConsumer {
  readonly instance: string;
  readonly credentialId: string;
  readonly credentialName: string;
  readonly order: Order;
  readonly policy: Policy;
  readonly config: unknown;
  readonly connection: ConnectionCase;
  /** The credential's current version; undefined while it has none. */
  readonly current: VersionCase | undefined;
  /** All registered consumers of the credential, the tested one among them. */
  readonly consumers: readonly ConsumerCase[];
}

interface Row {
  readonly instance: string;
  readonly credentialId: string;
  readonly credentialName: string;
  readonly order: Order;
  readonly policy: Partial<Policy>;
  readonly config: unknown;
  readonly connection: ConnectionCase & { readonly identity: string | null };
  readonly current: VersionRow | null;
}

/** Undefined when there is no such consumer, or it is registered no more. */
export async function readTestedConsumer(db: Kysely<Tables>, consumerId: string): Promise<TestedConsumer | undefined> {
  const { rows } = await sql<Row>`
    SELECT i.id AS instance, c.id AS "credentialId", t.name || '/' || c.name AS "credentialName",
      c.rotation_order AS "order", c.policy, c.config,
      ${connectionCase} AS connection,
      (SELECT to_jsonb(v) FROM versions v WHERE v.credential_id = c.id AND v.number = c.current_version) AS current
    FROM consumers s
    JOIN credentials c ON c.id = s.credential_id
    JOIN teams t ON t.id = c.team_id
    JOIN connections u ON u.id = c.connection_id
    JOIN teams ut ON ut.id = u.team_id
    CROSS JOIN instance i
    WHERE s.id = ${consumerId} AND s.retired_at IS NULL`.execute(db);
  const [row] = rows;
  if (row === undefined) return undefined;
  const consumers = await sql<ConsumerRow>`
    SELECT ${consumerColumns}, NULL AS delivered_version, NULL AS delivered_sequence, false AS is_touched
    FROM consumers n ${consumerJoins}
    WHERE n.credential_id = ${row.credentialId} AND n.retired_at IS NULL ORDER BY n.name, n.id`.execute(db);
  return {
    ...row,
    policy: effectivePolicy(row.policy),
    connection: { ...row.connection, identity: row.connection.identity ?? undefined },
    current: row.current === null ? undefined : asVersion(row.current),
    consumers: consumers.rows.map(asConsumer),
  };
}
