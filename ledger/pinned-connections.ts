import { sql, type Kysely, type RawBuilder } from "kysely";
import type { Tables } from "./tables.ts";

/** The connections that a rotation of a credential uses, its own and its consumers': their revisions, keyed by id. */
export const connectionsOf = (credentialId: RawBuilder<unknown>): RawBuilder<unknown> => sql`(
  SELECT jsonb_object_agg(u.id, u.revision) FROM connections u
  WHERE u.id IN (
    SELECT c.connection_id FROM credentials c WHERE c.id = ${credentialId}
    UNION SELECT n.connection_id FROM consumers n WHERE n.credential_id = ${credentialId} AND n.retired_at IS NULL))`;

/** A person has seen that a connection was edited and goes on: from now on each counts as it is. */
export async function pinConnections(trx: Kysely<Tables>, rotationId: string): Promise<void> {
  await sql`
    UPDATE rotations r
    SET pinned = r.pinned || jsonb_build_object('connections', ${connectionsOf(sql`r.credential_id`)})
    WHERE r.id = ${rotationId}`.execute(trx);
}

/** An open rotation that takes a consumer in goes on with its connection as it is now, unless it began with it. */
export async function pinLateConnection(
  trx: Kysely<Tables>,
  late: { readonly credentialId: string; readonly connectionId: string },
): Promise<void> {
  await sql`
    UPDATE rotations r
    SET pinned = jsonb_set(r.pinned, '{connections}', jsonb_build_object(u.id, u.revision) || (r.pinned -> 'connections'))
    FROM connections u
    WHERE u.id = ${late.connectionId} AND r.credential_id = ${late.credentialId} AND r.outcome IS NULL`.execute(trx);
}
