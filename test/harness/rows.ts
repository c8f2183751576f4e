import { sql } from "kysely";
import type { Ledger } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";
import { reserveRotations } from "../../ledger/reserve-rotations.ts";

/** Credentials of one new team on one new connection; nothing stands behind them at any issuer. */
export async function makeCredentials({ db }: Ledger, howMany: number): Promise<readonly string[]> {
  const team = newId("team");
  const environment = newId("environment");
  const connection = newId("connection");
  await sql`INSERT INTO teams (id, name) VALUES (${team}, ${team})`.execute(db);
  await sql`INSERT INTO environments (id, name) VALUES (${environment}, ${environment})`.execute(db);
  await sql`
    INSERT INTO connections (id, team_id, environment_id, name, kind, settings, admin_principal)
    VALUES (${connection}, ${team}, ${environment}, 'orders', 'postgres-role', '{}', 'admin')`.execute(db);
  const ids = Array.from({ length: howMany }, () => newId("credential"));
  await sql`
    INSERT INTO credentials
      (id, team_id, environment_id, connection_id, name, kind, rotation_order, config, principals, policy)
    SELECT id, ${team}, ${environment}, ${connection}, id, 'postgres-role', 'overlap', '{}', '{}', '{"graceMs": 0}'
    FROM unnest(${ids}::text[]) AS id`.execute(db);
  return ids;
}

/** Reserved rotations, one for each of as many new credentials. */
export async function makeRotations(ledger: Ledger, howMany: number): Promise<readonly string[]> {
  const credentials = await makeCredentials(ledger, howMany);
  const requests = credentials.map((credentialId) => ({ credentialId, requestedBy: "tok_test", reason: "due" }));
  return (await reserveRotations(ledger, requests)).map(({ rotationId }) => rotationId);
}
