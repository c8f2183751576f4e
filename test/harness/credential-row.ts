import { sql } from "kysely";
import type { Ledger } from "../../ledger/database.ts";
import { newId } from "../../ledger/new-id.ts";

/** The row of a credential and of all that it needs, for tests that only the ledger's rows are of interest to. Its id. */
export async function insertCredential({ db }: Ledger, name = "orders"): Promise<string> {
  const [team, environment, connection, credential] = [
    newId("team"),
    newId("environment"),
    newId("connection"),
    newId("credential"),
  ];
  await sql`INSERT INTO teams (id, name) VALUES (${team}, ${`team-of-${name}`})`.execute(db);
  await sql`INSERT INTO environments (id, name) VALUES (${environment}, ${`environment-of-${name}`})`.execute(db);
  await sql`INSERT INTO connections (id, team_id, environment_id, name, kind, settings, admin_principal)
    VALUES (${connection}, ${team}, ${environment}, 'db', 'fake', '{}', 'admin')`.execute(db);
  await sql`INSERT INTO credentials (id, team_id, environment_id, connection_id, name, kind, rotation_order, config,
      principals, policy, policy_id, inventory)
    VALUES (${credential}, ${team}, ${environment}, ${connection}, ${name}, 'fake', 'overlap', '{}', '{}', '{}', NULL, '{}')
    `.execute(db);
  return credential;
}
