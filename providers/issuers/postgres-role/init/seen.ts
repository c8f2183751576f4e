import type { Work } from "../admin.ts";
import type { Role } from "../catalogue.ts";
import { ident } from "../quoting.ts";
import type { SeenClient } from "./sessions-seen.ts";

export interface Seen {
  readonly name: string;
  readonly text: string;
}

/** What the server is, as far as it matters here. */
export async function seenOfServer(work: Work): Promise<readonly Seen[]> {
  const [row] = await work.ask<{ version: string; ssl: boolean; connections: string; me: string }>(
    `SELECT current_setting('server_version') AS version, current_setting('max_connections') AS connections,
       coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS ssl, current_user::text AS me`,
  );
  if (row === undefined) return [];
  const limited = work.server.isSuperuser ? "a superuser" : "no superuser, so that not everything can be seen";
  return [
    {
      name: "Server",
      text: `PostgreSQL ${row.version}, ${row.ssl ? "over TLS" : "without TLS"}, ${row.connections} connections at most`,
    },
    { name: "Looked as", text: `${row.me}, ${limited}` },
  ];
}

/** What the login is and has. */
export async function seenOfRole(work: Work, role: Role): Promise<readonly Seen[]> {
  const owned = await work.ask<{ database: string; objects: number }>(
    `SELECT coalesce(d.datname, 'the whole server')::text AS database, count(*)::int AS objects
     FROM pg_shdepend s JOIN pg_roles r ON r.oid = s.refobjid LEFT JOIN pg_database d ON d.oid = s.dbid
     WHERE s.refclassid = 'pg_authid'::regclass AND s.deptype = 'o' AND r.rolname = $1
     GROUP BY 1 ORDER BY 1`,
    [role.name],
  );
  const groups = await work.ask<{ name: string }>(
    `SELECT g.rolname::text AS name FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
     JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = $1 ORDER BY 1`,
    [role.name],
  );
  const settings = role.settings.flatMap(({ database, entries }) =>
    entries.map((entry) => (database === undefined ? entry : `${entry} (in ${database})`)),
  );
  const lines: readonly (readonly [string, readonly string[]])[] = [
    ["Owns", owned.map(({ database, objects }) => `${objects} ${objects === 1 ? "object" : "objects"} in ${database}`)],
    ["Member of", groups.map(({ name }) => name)],
    ["Settings", settings],
    ["Connection limit", role.connectionLimit < 0 ? [] : [String(role.connectionLimit)]],
  ];
  return [
    { name: "Login", text: `${ident(role.name)}${role.expires ? ", whose password has a last day" : ""}` },
    ...lines.map(([name, all]) => ({ name, text: all.length === 0 ? "none" : all.join(", ") })),
  ];
}

/** Who is in now. The login itself is named even where nobody is. */
export function seenOfClients(clients: readonly SeenClient[], role: string): readonly Seen[] {
  const own = clients.filter(({ login }) => login === role);
  const where = (one: SeenClient) =>
    `${one.sessions} from ${one.address ?? "an address that this login may not see"} in ${one.database}${one.applicationName === "" ? "" : ` ("${one.applicationName}")`}`;
  return [{ name: "Sessions now", text: own.length === 0 ? "none" : own.map(where).join(", ") }];
}
