import { sql, type Kysely } from "kysely";
import { recordEvents } from "./audit.ts";
import type { Tables } from "./tables.ts";

interface EndedRow {
  readonly id: string;
  readonly versions: readonly number[];
  readonly outcome: "proven" | "unproven";
  readonly rotation_id: string | null;
  readonly left: readonly number[];
}

/**
 * Ends what is open of a credential that nobody looks after any more, since it is deleted. What was not proven dead is not
 * called so: its versions keep the state that they have, and the trail names them.
 */
export async function endOfDeleted(trx: Kysely<Tables>, credentialId: string, actor: string): Promise<void> {
  const left = sql`ARRAY(SELECT v.number FROM versions v WHERE v.credential_id = e.credential_id
    AND v.number = ANY(e.versions) AND v.state NOT IN ('proven-dead', 'intended') ORDER BY 1)`;
  const { rows } = await sql<EndedRow>`
    UPDATE emergencies e SET closed_at = clock_timestamp(),
      outcome = CASE WHEN cardinality(${left}) = 0 THEN 'proven' ELSE 'unproven' END
    WHERE e.credential_id = ${credentialId} AND e.outcome IS NULL
    RETURNING e.id, e.versions, e.outcome, e.rotation_id, ${left} AS left`.execute(trx);
  await recordEvents(
    trx,
    rows.map(({ id, versions, outcome, rotation_id: rotationId, left: alive }) => ({
      ...{ credentialId, rotationId: rotationId ?? undefined, actor, action: "emergency.closed" },
      details: { emergency: id, versions, outcome, left: alive, why: "its credential was deleted" },
    })),
  );
}

/** Open ones of a credential. `refusedCode`: why no rotation could begin. */
export async function openEmergencies(
  trx: Kysely<Tables>,
  credentialId: string,
): Promise<
  readonly { readonly id: string; readonly versions: readonly number[]; readonly refusedCode: string | null }[]
> {
  const { rows } = await sql<{ id: string; versions: number[]; refusedCode: string | null }>`
    SELECT id, versions, refused_code AS "refusedCode" FROM emergencies
    WHERE credential_id = ${credentialId} AND outcome IS NULL ORDER BY created_at, id`.execute(trx);
  return rows;
}
