import pg from "pg";
import { OperatorNeededError } from "../domain/errors.ts";
import { withClient } from "./migrate.ts";

/** Whoever could change a row of these could change what happened. */
const appendOnly = ["audit", "audit_seals", "audit_heads"];
const readOnly = ["schema_migrations"];

const wrong = (detail: string) => new OperatorNeededError("ledger_schema", detail);

/**
 * Gives the login of `serve` and of workers what they need of the ledger's tables and no more: of the audit trail, to add
 * and to read. To be repeated after each migration, since tables may have come.
 * @throws {OperatorNeededError} `ledger_schema` when there is no such login, or when it could do everything anyway.
 */
export async function grantLedger(url: string, login: string): Promise<void> {
  await withClient(url, async (client) => {
    await refuseMighty(client, login);
    const role = pg.escapeIdentifier(login);
    const { rows } = await client.query<{ name: string; schema: string }>(
      "SELECT tablename AS name, schemaname AS schema FROM pg_tables WHERE schemaname = current_schema()",
    );
    const schema = pg.escapeIdentifier(rows[0]?.schema ?? "public");
    await client.query("BEGIN");
    await client.query(`GRANT USAGE ON SCHEMA ${schema} TO ${role}`);
    await client.query(`GRANT USAGE ON ALL SEQUENCES IN SCHEMA ${schema} TO ${role}`);
    for (const { name } of rows) {
      const table = `${schema}.${pg.escapeIdentifier(name)}`;
      await client.query(`REVOKE ALL ON ${table} FROM ${role}`);
      await client.query(`GRANT ${rightsOn(name)} ON ${table} TO ${role}`);
    }
    await client.query("COMMIT");
  });
}

function rightsOn(table: string): string {
  if (readOnly.includes(table)) return "SELECT";
  return appendOnly.includes(table) ? "SELECT, INSERT" : "SELECT, INSERT, UPDATE, DELETE";
}

/** Grants bind neither a superuser nor the owner of the tables, nor whoever can become it. */
async function refuseMighty(client: pg.Client, login: string): Promise<void> {
  const { rows } = await client.query<{ mighty: boolean }>(
    `SELECT r.rolsuper OR pg_has_role(r.oid, (SELECT tableowner FROM pg_tables
        WHERE schemaname = current_schema() AND tablename = 'audit'), 'MEMBER') AS mighty
      FROM pg_roles r WHERE r.rolname = $1`,
    [login],
  );
  const [found] = rows;
  if (found === undefined)
    throw wrong(
      `There is no role ${login} to give rights to. Create it, as docs/operating.md says, then run it again.`,
    );
  if (found.mighty)
    throw wrong(
      `${login} owns the ledger's tables, can become their owner, or is a superuser: no grant would keep it from changing the audit trail. Name another login for serve and workers.`,
    );
}
