import { sql, type Kysely, type RawBuilder, type Transaction } from "kysely";
import { recordEvent } from "./audit.ts";
import type { Tables } from "./tables.ts";

export interface Share {
  readonly credentialId: string;
  /** A team's name. One that no team has is kept without effect, so that the answer tells nobody which teams there are. */
  readonly team: string;
  readonly actor: string;
}

export async function shareCredential(trx: Transaction<Tables>, { credentialId, team, actor }: Share): Promise<void> {
  await sql`
    INSERT INTO credential_shares (credential_id, team, team_id, shared_by)
    VALUES (${credentialId}, ${team}, (SELECT id FROM teams WHERE name = ${team} AND retired_at IS NULL), ${actor})
    ON CONFLICT (credential_id, team) DO UPDATE SET team_id = excluded.team_id, shared_by = excluded.shared_by,
      shared_at = clock_timestamp()`.execute(trx);
  await recordEvent(trx, { actor, action: "credential.shared", credentialId, details: { team } });
}

/** Consumers that the team has there already stay, and the team sees the credential as long as it has one. */
export async function endShare(trx: Transaction<Tables>, { credentialId, team, actor }: Share): Promise<void> {
  await sql`DELETE FROM credential_shares WHERE credential_id = ${credentialId} AND team = ${team}`.execute(trx);
  await recordEvent(trx, { actor, action: "credential.unshared", credentialId, details: { team } });
}

/** The names in the order of the alphabet. */
export const sharesOf = (credentialId: RawBuilder<unknown>): RawBuilder<unknown> => sql`(
  SELECT coalesce(jsonb_agg(s.team ORDER BY s.team), '[]'::jsonb) FROM credential_shares s
  WHERE s.credential_id = ${credentialId})`;

export async function isTeam(db: Kysely<Tables>, name: string): Promise<boolean> {
  const { rows } = await sql`SELECT FROM teams WHERE name = ${name} AND retired_at IS NULL`.execute(db);
  return rows.length > 0;
}
