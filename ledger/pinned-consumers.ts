import { sql, type Kysely, type RawBuilder } from "kysely";
import type { Tables } from "./tables.ts";

/** The registered consumers of a credential, their revisions keyed by id. */
export const consumersOf = (credentialId: RawBuilder<unknown>): RawBuilder<unknown> => sql`(
  SELECT coalesce(jsonb_object_agg(n.id, n.revision), '{}'::jsonb) FROM consumers n
  WHERE n.credential_id = ${credentialId} AND n.retired_at IS NULL)`;

/**
 * A person tries again while nothing is delivered: each consumer counts as it is registered now. One that was removed
 * stays pinned, so that the guard still misses it until a person accepts that.
 */
export async function pinConsumers(trx: Kysely<Tables>, rotationId: string): Promise<void> {
  await sql`
    UPDATE rotations r
    SET pinned = jsonb_set(r.pinned, '{consumers}', (r.pinned -> 'consumers') || ${consumersOf(sql`r.credential_id`)})
    WHERE r.id = ${rotationId}`.execute(trx);
}
