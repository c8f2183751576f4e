import { sql, type Kysely } from "kysely";
import { exactTime } from "./audit-chain.ts";
import { suspectsOf, type Suspect } from "./emergency-views.ts";
import { readBroken, type Broken } from "./broken-consumers.ts";
import { readSealed, type SealedRow } from "./sealed-rows.ts";
import type { Tables } from "./tables.ts";

/** An emergency that a rotation carried, or because of which it was ended so that another could. */
export interface DeclarationFacts {
  readonly id: string;
  readonly requestedBy: string;
  readonly reason: string;
  /** In ascending order. */
  readonly versions: readonly number[];
  /** Ends what has leaked before consumers have another, by now. */
  readonly contain: boolean;
  readonly deadline: string;
  readonly atDeadline: "contain" | "hold";
  /** The rotation that makes the clean version; null: none has begun. */
  readonly rotationId: string | null;
  readonly outcome: "proven" | "unproven" | null;
  readonly closedAt: string | null;
  readonly suspects: readonly Suspect[];
}

export interface EmergencyFacts {
  /** The first to be declared first; none of a rotation that no emergency met. */
  readonly declarations: readonly DeclarationFacts[];
  /** Of the trail: the declarations, and the deaths of all versions that they named, whichever rotation proved them. */
  readonly rows: readonly SealedRow[];
  readonly broken: readonly Broken[];
}

interface Of {
  readonly rotationId: string;
  readonly credentialId: string;
}

/** What was recorded of the emergencies that had a say in a rotation. */
export async function readEmergencyFacts(
  db: Kysely<Tables>,
  { rotationId, credentialId }: Of,
): Promise<EmergencyFacts> {
  const { rows: declarations } = await sql<DeclarationFacts>`
    SELECT e.id, e.requested_by AS "requestedBy", e.reason, ARRAY(SELECT unnest(e.versions) ORDER BY 1) AS versions,
      e.contain, ${exactTime("e.deadline")} AS deadline, e.at_deadline AS "atDeadline", e.rotation_id AS "rotationId",
      e.outcome, ${exactTime("e.closed_at")} AS "closedAt", ${suspectsOf} AS suspects
    FROM emergencies e WHERE e.credential_id = ${credentialId} AND (e.rotation_id = ${rotationId} OR e.id IN (
      SELECT a.details ->> 'emergency' FROM audit a WHERE a.rotation_id = ${rotationId}))
    ORDER BY e.created_at, e.id`.execute(db);
  if (declarations.length === 0) return { declarations, rows: [], broken: [] };
  const ids = declarations.map(({ id }) => id);
  const versions = [...new Set(declarations.flatMap((one) => one.versions))].map(String);
  const rows = await readSealed(
    db,
    sql`a.credential_id = ${credentialId} AND (
      (a.action = 'emergency.declared' AND a.details ->> 'emergency' = ANY(${ids}))
      OR (a.action = 'version.proven-dead' AND a.details ->> 'version' = ANY(${versions})))`,
  );
  return { declarations, rows, broken: await readBroken(db, rotationId) };
}
