import { PermanentError } from "../../../domain/errors.ts";
import type { ProviderContext } from "../../contract/context.ts";
import type { ConnectionLook } from "../../contract/connection.ts";
import type { Finding } from "../../contract/issuer.ts";
import { Secret } from "../../contract/secret.ts";
import type { Value } from "../../contract/value.ts";
import { openAdmin, type Work } from "./admin.ts";
import type { ConnectionConfig } from "./config.ts";
import { ident } from "./quoting.ts";
import { rightsLackedBy } from "./rights.ts";

interface Seen extends Readonly<Record<string, unknown>> {
  readonly release: string;
  readonly at: string;
  readonly overTls: boolean;
}

interface Opening {
  readonly connection: ConnectionConfig;
  readonly admin: Value;
}

/** What the server behind a connection is, how it is reached, and what the connection's login may do there. Reads only. */
export async function lookAround({ connection, admin }: Opening, context: ProviderContext): Promise<ConnectionLook> {
  const password = admin["password"];
  if (!(password instanceof Secret))
    throw new PermanentError("value_unfit", "The connection has no password. Store it with the connection.");
  const session = openAdmin(connection, password, context);
  try {
    return await session.work("looking at the server", async (work) => {
      const [seen] = await work.ask<Seen>(
        `SELECT split_part(current_setting('server_version'), ' ', 1) AS release, to_char(clock_timestamp() AT TIME ZONE 'UTC',
           'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS at, (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS "overTls"`,
      );
      if (seen === undefined) throw new Error("no row");
      return {
        identity: work.server.identity,
        about: `PostgreSQL ${seen.release}, ${seen.overTls ? "over TLS" : "without TLS"}`,
        at: seen.at,
        findings: [
          ...(work.server.isSuperuser ? [] : await rightsLackedBy(work, { name: connection.user, exists: true }, [])),
          ...(await unneededRights(work, connection)),
          ...unverifiedWay(connection),
        ],
      };
    });
  } finally {
    await session.close();
  }
}

function unverifiedWay({ tls }: ConnectionConfig): readonly Finding[] {
  if (tls?.unverified !== true) return [];
  return [
    {
      code: "transport_unverified",
      detail:
        "Nobody checks which server answers (tls.unverified), so that nothing is proven dead over this connection. Give its authority in tls.ca and remove that line.",
    },
  ];
}

interface May extends Readonly<Record<string, unknown>> {
  /** Made with the server: it stays a superuser. */
  readonly isFirst: boolean;
  readonly rolsuper: boolean;
  readonly rolcreatedb: boolean;
  readonly rolreplication: boolean;
  readonly rolbypassrls: boolean;
  /** Roles whose rights it has, besides those that the printed grants give and those that it rotates. */
  readonly roles: readonly string[];
}

const attributes = [
  ["rolsuper", "SUPERUSER", "is a superuser and may do everything"],
  ["rolcreatedb", "CREATEDB", "may create databases"],
  ["rolreplication", "REPLICATION", "may copy the whole server (REPLICATION)"],
  ["rolbypassrls", "BYPASSRLS", "may read past row security (BYPASSRLS)"],
] as const;

const loginOfItsOwn =
  "CREATE ROLE rekey_admin LOGIN CREATEROLE;\nGRANT pg_signal_backend, pg_monitor TO rekey_admin;\n-- then \\password rekey_admin, and the connection's user and secretFrom";
const lessThanSuperuser = (me: string) =>
  `ALTER ROLE ${me} NOSUPERUSER CREATEROLE;\nGRANT pg_signal_backend, pg_monitor TO ${me};`;

/** What the login may do beyond the grants that the README prints, each with the statement that takes it away. */
async function unneededRights(work: Work, { user }: ConnectionConfig): Promise<readonly Finding[]> {
  const [may] = await work.ask<May>(
    `SELECT oid = 10 AS "isFirst", rolsuper, rolcreatedb, rolreplication, rolbypassrls, ARRAY(
       SELECT r.rolname::text FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
       WHERE m.member = a.oid AND r.rolname NOT IN ('pg_signal_backend', 'pg_monitor')
         AND pg_has_role(a.oid, m.roleid, 'USAGE') GROUP BY r.rolname ORDER BY r.rolname) AS roles
     FROM pg_roles a WHERE rolname = current_user`,
  );
  if (may === undefined) return [];
  const me = ident(user);
  const unneeded = (what: string, mend: string): Finding => ({
    code: "right_unneeded",
    detail: `Its login ${me} ${what}, which no rotation needs.`,
    mend,
  });
  // A superuser has every role's rights as long as it is one, and needs the grants once it is none.
  if (may.rolsuper) return [unneeded(attributes[0][2], may.isFirst ? loginOfItsOwn : lessThanSuperuser(me))];
  return [
    ...attributes.flatMap(([name, word, what]) => (may[name] ? [unneeded(what, `ALTER ROLE ${me} NO${word};`)] : [])),
    ...may.roles.map((role) => unneeded(`has the rights of ${ident(role)}`, `REVOKE ${ident(role)} FROM ${me};`)),
  ];
}
