import { sql, type Transaction } from "kysely";
import { recordEvent } from "./audit.ts";
import { endOfDeleted } from "./end-emergencies.ts";
import { outdateGrants } from "./grants.ts";
import type { Tables } from "./tables.ts";

type Trx = Transaction<Tables>;

/** What is registered and needs a team, an environment or a connection: `Credential shop/orders`, by kind and name. */
export async function findUses(
  trx: Trx,
  noun: "team" | "environment" | "policy" | "connection",
  id: string,
): Promise<readonly string[]> {
  const { rows } = await sql<{ ref: string }>`
    SELECT 'Connection ' || t.name || '/' || n.name AS ref FROM connections n JOIN teams t ON t.id = n.team_id
    WHERE n.retired_at IS NULL
      AND ((${noun} = 'team' AND n.team_id = ${id}) OR (${noun} = 'environment' AND n.environment_id = ${id}))
    UNION ALL
    SELECT 'Policy ' || t.name || '/' || p.name FROM policies p JOIN teams t ON t.id = p.team_id
    WHERE p.retired_at IS NULL AND ${noun} = 'team' AND p.team_id = ${id}
    UNION ALL
    SELECT 'Credential ' || t.name || '/' || c.name FROM credentials c JOIN teams t ON t.id = c.team_id
    WHERE c.retired_at IS NULL
      AND ((${noun} = 'team' AND c.team_id = ${id}) OR (${noun} = 'environment' AND c.environment_id = ${id})
        OR (${noun} = 'connection' AND c.connection_id = ${id}) OR (${noun} = 'policy' AND c.policy_id = ${id}))
    UNION ALL
    SELECT 'Consumer ' || t.name || '/' || n.name FROM consumers n JOIN teams t ON t.id = n.team_id
    WHERE n.retired_at IS NULL
      AND ((${noun} = 'team' AND n.team_id = ${id}) OR (${noun} = 'connection' AND n.connection_id = ${id}))
    UNION ALL
    SELECT 'Notice ' || t.name || '/' || k.name FROM notices k JOIN teams t ON t.id = k.team_id
    WHERE k.retired_at IS NULL AND ${noun} = 'team' AND k.team_id = ${id}
    ORDER BY ref`.execute(trx);
  return rows.map(({ ref }) => ref);
}

/** Credentials of other teams too that have this team as owner or backup owner. */
export async function findOwned(trx: Trx, teamId: string): Promise<readonly string[]> {
  const { rows } = await sql<{ ref: string }>`
    SELECT 'Credential ' || t.name || '/' || c.name AS ref
    FROM teams o JOIN credentials c ON o.name IN (c.inventory ->> 'owner', c.inventory ->> 'backupOwner')
    JOIN teams t ON t.id = c.team_id WHERE o.id = ${teamId} AND c.retired_at IS NULL ORDER BY ref`.execute(trx);
  return rows.map(({ ref }) => ref);
}

export interface CredentialUse {
  readonly currentVersion: number | null;
  /** A check that looks at it, such as an adoption. */
  readonly pendingCheck: string | null;
  /**
   * Versions that may still be used and that rekey made itself, where no registered consumer was given them: nobody but
   * custody has the value.
   */
  readonly onlyInCustody: readonly number[];
}

/** The credential's row is to be locked: nothing of this changes then until the transaction's end. */
export async function readCredentialUse(trx: Trx, credentialId: string): Promise<CredentialUse> {
  const { rows } = await sql<CredentialUse>`
    SELECT c.current_version AS "currentVersion",
      (SELECT k.id FROM checks k WHERE k.subject_id = c.id AND k.state = 'pending' LIMIT 1) AS "pendingCheck",
      (SELECT coalesce(jsonb_agg(v.number ORDER BY v.number), '[]') FROM versions v
        WHERE v.credential_id = c.id AND v.state IN ('live', 'disabled')
          AND EXISTS (SELECT FROM rotations r WHERE r.credential_id = c.id AND r.to_version = v.number)
          AND NOT EXISTS (SELECT FROM consumers n
            WHERE n.credential_id = c.id AND n.retired_at IS NULL AND n.held_version = v.number)) AS "onlyInCustody"
    FROM credentials c WHERE c.id = ${credentialId}`.execute(trx);
  return rows[0] ?? { currentVersion: null, pendingCheck: null, onlyInCustody: [] };
}

/** The emergency, over or not, that suspects a consumer which nobody has answered for. The credential's row is to be locked. */
export async function openSuspicion(trx: Trx, consumerId: string): Promise<string | undefined> {
  const { rows } = await sql<{ emergency_id: string }>`
    SELECT s.emergency_id FROM suspicions s JOIN emergencies e ON e.id = s.emergency_id
    WHERE s.consumer_id = ${consumerId} AND s.released_at IS NULL ORDER BY e.created_at DESC LIMIT 1`.execute(trx);
  return rows[0]?.emergency_id;
}

export async function retireTeam(trx: Trx, id: string, actor: string): Promise<void> {
  await sql`UPDATE teams SET retired_at = clock_timestamp() WHERE id = ${id}`.execute(trx);
  await recordEvent(trx, { actor, action: "team.deleted", details: { team: id } });
  await outdateGrants(trx, sql`g.team_id = ${id}`, "The team was deleted.", actor);
}

export async function retireEnvironment(trx: Trx, id: string, actor: string): Promise<void> {
  await sql`UPDATE environments SET retired_at = clock_timestamp() WHERE id = ${id}`.execute(trx);
  await recordEvent(trx, { actor, action: "environment.deleted", details: { environment: id } });
}

export async function retirePolicy(trx: Trx, id: string, actor: string): Promise<void> {
  await sql`UPDATE policies SET retired_at = clock_timestamp() WHERE id = ${id}`.execute(trx);
  await recordEvent(trx, { actor, action: "policy.deleted", details: { policy: id } });
}

/** Its secret is pointed at by nothing from here on; taking it out of custody is the caller's. */
export async function retireConnection(trx: Trx, id: string, actor: string): Promise<void> {
  await sql`
    UPDATE connections SET retired_at = clock_timestamp(), secret_row = NULL, secret_fingerprint = NULL
    WHERE id = ${id}`.execute(trx);
  await recordEvent(trx, { actor, action: "connection.deleted", details: { connection: id } });
}

/** Its consumers are to be retired before. Versions, rotations and the audit trail stay; its emergencies are over. */
export async function retireCredential(trx: Trx, id: string, actor: string): Promise<void> {
  await sql`UPDATE credentials SET retired_at = clock_timestamp() WHERE id = ${id}`.execute(trx);
  await sql`UPDATE versions SET retired_at = clock_timestamp() WHERE credential_id = ${id}`.execute(trx);
  await endOfDeleted(trx, id, actor);
  await recordEvent(trx, { actor, action: "credential.deleted", credentialId: id, details: { credential: id } });
  await outdateGrants(trx, sql`g.credential_id = ${id}`, "The credential was deleted.", actor);
}

/** The row stays, with what was delivered: an open rotation that began with it waits for a person. */
export async function retireConsumer(
  trx: Trx,
  { id, credentialId }: { readonly id: string; readonly credentialId: string },
  actor: string,
): Promise<void> {
  await sql`UPDATE consumers SET retired_at = clock_timestamp() WHERE id = ${id}`.execute(trx);
  await recordEvent(trx, { actor, action: "consumer.deleted", credentialId, details: { consumer: id } });
}
