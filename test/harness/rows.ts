import { sql } from "kysely";
import type { Ledger } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { reserveRotations } from "../../ledger/reserve-rotations.ts";

export interface CredentialOptions {
  /** Of the connection; two connections with one identity are one server. */
  readonly identity?: string;
  /** The logins of each. */
  readonly principals?: readonly string[];
}

/** Adopted credentials of one new team on one new connection; nothing stands behind them at any issuer. */
export async function makeCredentials(
  { db }: Ledger,
  howMany: number,
  { identity, principals = [] }: CredentialOptions = {},
): Promise<readonly string[]> {
  const team = newId("team");
  const environment = newId("environment");
  const connection = newId("connection");
  await sql`INSERT INTO teams (id, name) VALUES (${team}, ${team})`.execute(db);
  await sql`INSERT INTO environments (id, name) VALUES (${environment}, ${environment})`.execute(db);
  await sql`
    INSERT INTO connections (id, team_id, environment_id, name, kind, settings, admin_principal, identity)
    VALUES (${connection}, ${team}, ${environment}, 'orders', 'postgres-role', '{}', 'admin', ${identity ?? connection})`.execute(
    db,
  );
  const ids = Array.from({ length: howMany }, () => newId("credential"));
  await sql`
    INSERT INTO credentials
      (id, team_id, environment_id, connection_id, name, kind, rotation_order, config, principals, policy,
       current_version, next_version)
    SELECT id, ${team}, ${environment}, ${connection}, id, 'postgres-role', 'overlap', '{}', ${[...principals]},
      '{"graceMs": 0}', 1, 2
    FROM unnest(${ids}::text[]) AS id`.execute(db);
  await sql`
    INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key, handle)
    SELECT 'ver_' || substr(id, 5), id, ${connection}, 1, 'live', id, id || '#1' FROM unnest(${ids}::text[]) AS id
    `.execute(db);
  return ids;
}

/** Reserved rotations, one for each of as many new credentials. */
export async function makeRotations(ledger: Ledger, howMany: number): Promise<readonly string[]> {
  const credentials = await makeCredentials(ledger, howMany);
  const requests = credentials.map((credentialId) => ({ credentialId, requestedBy: "tok_test", reason: "due" }));
  return (await reserveRotations(ledger, requests)).reserved.map(({ rotationId }) => rotationId);
}
