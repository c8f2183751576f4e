import { sql, type Kysely } from "kysely";
import { PermanentError } from "../domain/errors.ts";
import { recordEvents } from "./audit.ts";
import { watchDeaths } from "./death-watches.ts";
import type { Tables } from "./tables.ts";

export type VersionStateName = "intended" | "live" | "disabled" | "ended" | "proven-dead" | "accepted-unproven";

/** On what a death rests: the issuer's refusal and the controls that were asked in the same round. Codes and names only. */
export interface Proof {
  readonly code: string;
  readonly controls: string;
  /** So many answers in a row; absent where nothing was asked more than once on purpose. */
  readonly inRow?: number | undefined;
}

/** What becomes of a version. Absent means unchanged. */
export interface VersionChange {
  readonly versionId: string;
  readonly state?: VersionStateName;
  readonly handle?: string;
  /** The issuer's own words. */
  readonly effectiveAt?: string;
  readonly fingerprint?: string;
  /** Kept in the audit trail. */
  readonly proof?: Proof;
}

interface ChangedRow {
  readonly id: string;
  readonly credential_id: string;
  readonly rotation_id: string | null;
  readonly number: number;
}

/**
 * Changes many versions in one statement.
 * @throws {PermanentError} `handle_taken` when another version of the connection has the handle already.
 */
export async function changeVersions(trx: Kysely<Tables>, changes: readonly VersionChange[]): Promise<void> {
  if (changes.length === 0) return;
  try {
    const { rows } = await sql<ChangedRow>`
      UPDATE versions v SET
        state = coalesce(g.state, v.state),
        handle = coalesce(g.handle, v.handle),
        effective_at = coalesce(g."effectiveAt", v.effective_at),
        fingerprint = coalesce(g.fingerprint, v.fingerprint),
        ended_at = CASE WHEN g.state IN ('ended', 'proven-dead', 'accepted-unproven')
          THEN coalesce(v.ended_at, clock_timestamp()) ELSE v.ended_at END
      FROM jsonb_to_recordset(${JSON.stringify(changes)}::jsonb)
        AS g ("versionId" text, state text, handle text, "effectiveAt" text, fingerprint text)
      WHERE v.id = g."versionId"
      RETURNING v.id, v.credential_id, v.number, (
        SELECT r.id FROM rotations r WHERE r.credential_id = v.credential_id AND r.outcome IS NULL) AS rotation_id`.execute(
      trx,
    );
    await recordProofs(trx, rows, changes);
    const dead = changes.filter(({ state }) => state === "proven-dead").map(({ versionId }) => versionId);
    if (dead.length > 0) await watchDeaths(trx, dead);
  } catch (error) {
    if (error instanceof Error && "constraint" in error && error.constraint === "versions_connection_id_handle_key")
      throw new PermanentError(
        "handle_taken",
        "The issuer named a version that another credential of this connection has already. Nothing was ended; find out which of the two is right.",
      );
    throw error;
  }
}

/** What a version that is still to be made was called: nobody may take it for made any more. */
export async function forgetHandle(trx: Kysely<Tables>, versionId: string): Promise<void> {
  await sql`UPDATE versions SET handle = NULL, effective_at = NULL WHERE id = ${versionId} AND state = 'intended'`.execute(
    trx,
  );
}

async function recordProofs(
  trx: Kysely<Tables>,
  rows: readonly ChangedRow[],
  changes: readonly VersionChange[],
): Promise<void> {
  const proven = rows.flatMap((row) => {
    const proof = changes.find(({ versionId }) => versionId === row.id)?.proof;
    return proof === undefined ? [] : [{ row, proof }];
  });
  await recordEvents(
    trx,
    proven.map(({ row, proof: { code, controls, inRow } }) => ({
      credentialId: row.credential_id,
      rotationId: row.rotation_id ?? undefined,
      actor: "system:worker",
      action: "version.proven-dead",
      details: { version: row.number, code, controls, inRow },
    })),
  );
}

/** Which version a credential is on. */
export interface CurrentVersion {
  readonly credentialId: string;
  readonly version: number;
}

/** Makes versions the current ones of their credentials. */
export async function setCurrent(trx: Kysely<Tables>, currents: readonly CurrentVersion[]): Promise<void> {
  if (currents.length === 0) return;
  await sql`
    UPDATE credentials c SET current_version = g.version
    FROM jsonb_to_recordset(${JSON.stringify(currents)}::jsonb) AS g ("credentialId" text, version integer)
    WHERE c.id = g."credentialId"`.execute(trx);
}
