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
 * @throws {OperatorNeededError} `ledger_schema` when there is no such login, when it could do everything anyway, or when it could
 *   change the audit trail by what everybody or a group may do. Nothing is changed then.
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
    await refuseByOthers(client, login);
    await client.query("COMMIT");
  });
}

function rightsOn(table: string): string {
  if (readOnly.includes(table)) return "SELECT";
  return appendOnly.includes(table) ? "SELECT, INSERT" : "SELECT, INSERT, UPDATE, DELETE";
}

/** Grants bind neither a superuser nor the owner of the tables or of what they lie in, nor whoever can become one of them. */
async function refuseMighty(client: pg.Client, login: string): Promise<void> {
  const { rows } = await client.query<{ mighty: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_roles s WHERE s.rolsuper AND pg_has_role(r.oid, s.oid, 'MEMBER'))
        OR EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
          WHERE c.oid = 'audit'::regclass
            AND (pg_has_role(r.oid, c.relowner, 'MEMBER') OR pg_has_role(r.oid, n.nspowner, 'MEMBER'))) AS mighty
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
      `${login} owns the ledger's tables or their schema, can become their owner, or is a superuser or can become one: no grant would keep it from changing the audit trail. Name another login for serve and workers.`,
    );
}

interface Held {
  /** `public` for everybody. */
  readonly holder: string;
  /** The login is a member of it, and not by another role alone. */
  readonly isDirect: boolean;
  readonly table: string;
  readonly right: string;
}

/**
 * What the login may do it has been given a moment ago. What everybody may, and every group that it is in, is asked as well:
 * also of a group whose rights it does not inherit, for it can become that.
 */
async function refuseByOthers(client: pg.Client, login: string): Promise<void> {
  const { rows } = await client.query<Held>(
    `SELECT h.name AS holder, h.direct AS "isDirect", t.name AS table, p.name AS right
      FROM (SELECT 'public' AS name, false AS direct UNION ALL
        SELECT g.rolname, EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member
          WHERE m.roleid = g.oid AND r.rolname = $1)
        FROM pg_roles g WHERE g.rolname <> $1 AND pg_has_role($1, g.oid, 'MEMBER')) h
      CROSS JOIN unnest($2::text[]) AS t (name)
      CROSS JOIN unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS p (name)
      WHERE NOT (p.name = 'INSERT' AND t.name = ANY($3))
        AND CASE WHEN p.name IN ('INSERT', 'UPDATE') THEN has_any_column_privilege(h.name, t.name, p.name)
          ELSE has_table_privilege(h.name, t.name, p.name) END
      ORDER BY h.name <> 'public', NOT h.direct, 1, array_position($2, t.name), 4`,
    [login, [...appendOnly, ...readOnly], appendOnly],
  );
  // What everybody has each group has too, and what a group has by another one is told of the one that the login is in.
  const told = new Set<string>();
  const found = rows.filter(({ holder, isDirect, table, right }) => {
    if (told.has(`${table} ${right}`) && !isDirect) return false;
    if (holder !== "public" && told.has(`public ${table} ${right}`)) return false;
    told.add(`${table} ${right}`).add(`${holder} ${table} ${right}`);
    return true;
  });
  if (found.length === 0) return;
  const said = [...Map.groupBy(found, ({ holder }) => holder)].map(([holder, held]) => sayHeld(login, holder, held));
  throw wrong(
    `${login} could change what may only be added to, by rights that are not its own. Take them back, then run it again. ${said.join(" ")}`,
  );
}

function sayHeld(login: string, holder: string, held: readonly Held[]): string {
  const byTable = [...Map.groupBy(held, ({ table }) => table)];
  const what = byTable.map(([table, rows]) => `${rows.map(({ right }) => right).join(", ")} on ${table}`).join("; ");
  if (holder === "public")
    return `Everybody has ${what}: REVOKE ALL ON ${byTable.map(([table]) => table).join(", ")} FROM PUBLIC;`;
  const isDirect = held.some((row) => row.isDirect);
  return isDirect
    ? `${login} is in ${holder}, which has ${what}: REVOKE ${pg.escapeIdentifier(holder)} FROM ${pg.escapeIdentifier(login)};`
    : `${login} can become ${holder} by a role that is in it, and that has ${what}: take it out of that role.`;
}
