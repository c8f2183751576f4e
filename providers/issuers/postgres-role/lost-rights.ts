import type { Finding } from "../../contract/issuer.ts";
import type { Row, Work } from "./admin.ts";
import { isOverlap, slotsOf } from "./config.ts";
import { logIn, LoginFailure } from "./login.ts";
import { ident } from "./quoting.ts";
import type { Scope } from "./scope.ts";

/**
 * Whether a session of the new version may do there what it has to: the database that consumers connect to is entered,
 * and nothing that a login may do is beyond the owner role that its sessions work as.
 */
export async function lostRights(work: Work, scope: Scope): Promise<readonly Finding[]> {
  const { config, connection } = scope;
  const database = ident(config.database);
  const role = isOverlap(config) ? config.owner : config.login;
  const [found] = await work.ask<{ theirs: boolean; mine: boolean }>(
    `SELECT has_database_privilege($2::name, oid, 'CONNECT') AS theirs, has_database_privilege(oid, 'CONNECT') AS mine
     FROM pg_database WHERE datname = $1`,
    [config.database, role],
  );
  if (found === undefined)
    return [
      { code: "right_missing", detail: `There is no database ${database}.`, mend: `CREATE DATABASE ${database};` },
    ];
  const mayNot = (who: string): Finding => ({
    code: "right_missing",
    detail: `${ident(who)} may not connect to the database ${database}.`,
    mend: `GRANT CONNECT ON DATABASE ${database} TO ${ident(who)};`,
  });
  // Our own login is the control of a proof there, as long as there is no live version to compare with.
  const findings = [...(found.theirs ? [] : [mayNot(role)]), ...(found.mine ? [] : [mayNot(connection.user)])];
  if (!isOverlap(config) || !found.mine) return findings;
  return [...findings, ...(await lostIn(scope, config.owner))];
}

async function lostIn(scope: Scope, owner: string): Promise<readonly Finding[]> {
  const { connection, config, adminPassword } = scope;
  const login = { user: connection.user, password: adminPassword, database: config.database };
  const session = await logIn(connection, login, scope).catch((error: unknown) => {
    if (error instanceof LoginFailure) return undefined;
    throw error;
  });
  if (session === undefined)
    return [
      {
        code: "right_missing",
        detail: `The connection's login is not let into the database ${ident(config.database)} by the server's rules (pg_hba.conf).`,
      },
    ];
  try {
    const { rows } = await session.client.query<Lost & Row>(beyondTheOwner, [[...slotsOf(config)], owner]);
    return [...Map.groupBy(rows, ({ login: name }) => name)].map(([name, lost]) => finding(name, owner, lost));
  } finally {
    await session.close();
  }
}

interface Lost {
  readonly login: string;
  readonly mend: string;
}

const finding = (login: string, owner: string, lost: readonly Lost[]): Finding => ({
  code: "principal_mismatch",
  detail: `The login ${ident(login)} may do ${lost.length} ${lost.length === 1 ? "thing" : "things"} that ${ident(owner)} may not, which its sessions work as.`,
  mend: lost.map(({ mend }) => mend).join("\n"),
});

/** Grants on tables, sequences, schemas, databases and routines of this database, and memberships. */
const beyondTheOwner = `
  WITH logins AS (SELECT oid, rolname FROM pg_roles WHERE rolname = ANY($1::text[])),
  granted AS (
    SELECT a.grantee, a.privilege_type AS privilege,
      CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass AS target,
      CASE c.relkind WHEN 'S' THEN has_sequence_privilege($2::name, c.oid, CASE WHEN c.relkind = 'S' THEN a.privilege_type ELSE 'USAGE' END)
        ELSE has_table_privilege($2::name, c.oid, CASE WHEN c.relkind = 'S' THEN 'SELECT' ELSE a.privilege_type END) END AS has
    FROM pg_class c CROSS JOIN aclexplode(c.relacl) AS a
    UNION ALL
    SELECT a.grantee, a.privilege_type, 'SCHEMA ' || quote_ident(n.nspname),
      has_schema_privilege($2::name, n.oid, a.privilege_type)
    FROM pg_namespace n CROSS JOIN aclexplode(n.nspacl) AS a
    UNION ALL
    SELECT a.grantee, a.privilege_type, 'DATABASE ' || quote_ident(d.datname),
      has_database_privilege($2::name, d.oid, a.privilege_type)
    FROM pg_database d CROSS JOIN aclexplode(d.datacl) AS a
    UNION ALL
    SELECT a.grantee, a.privilege_type, 'ROUTINE ' || p.oid::regprocedure,
      has_function_privilege($2::name, p.oid, a.privilege_type)
    FROM pg_proc p CROSS JOIN aclexplode(p.proacl) AS a
  )
  SELECT l.rolname::text AS login, format('GRANT %s ON %s TO %I;', string_agg(g.privilege, ', ' ORDER BY g.privilege), g.target, $2::text) AS mend
  FROM logins l JOIN granted g ON g.grantee = l.oid
  WHERE NOT g.has
  GROUP BY l.rolname, g.target
  UNION ALL
  SELECT DISTINCT l.rolname::text, format('GRANT %I TO %I;', r.rolname, $2::text)
  FROM logins l JOIN pg_auth_members m ON m.member = l.oid JOIN pg_roles r ON r.oid = m.roleid
  WHERE r.rolname <> $2::name AND NOT pg_has_role($2::name, r.oid, 'MEMBER')
  ORDER BY 1, 2`;
