import { join } from "node:path";
import pg from "pg";
import { newPassword, runStatements, type Login } from "../../demo/orders-cluster.ts";
import { startPostgres } from "../../embedded/postgres.ts";
import { ofKind } from "./company.ts";

/** One PostgreSQL of the company, with the databases, roles and logins that its manifests name. */
export interface CompanyServer {
  readonly environment: string;
  readonly port: number;
  /** `team/name` of a credential, to the login that its applications have today. */
  readonly today: ReadonlyMap<string, Login>;
  /** The user of a connection, to its password. */
  readonly admins: ReadonlyMap<string, string>;
  stop(): Promise<void>;
}

interface Wanted {
  readonly ref: string;
  readonly connection: string;
  readonly database: string;
  /** The first is the one in use. */
  readonly logins: readonly string[];
  readonly owner: string | undefined;
}

const quoted = pg.escapeIdentifier;

const wantedOf = (environment: string): readonly Wanted[] =>
  ofKind("Credential")
    .filter(({ metadata }) => metadata.environment === environment)
    .map(({ metadata: { team, name }, spec: { config, connection } }) => {
      const { owner, logins, login, database } = config as Readonly<Record<string, string | undefined>> & {
        readonly logins?: readonly string[];
      };
      return { ref: `${team}/${name}`, connection, database: database ?? "", logins: logins ?? [login ?? ""], owner };
    });

/** Starts the server of an environment; each connection's login manages the roles of its own credentials only. */
export async function startServer(environment: string, folder: string): Promise<CompanyServer> {
  const password = newPassword();
  const settings = { max_connections: "300" };
  const superuser = { superuser: "keeper", password, settings };
  const server = await startPostgres({ folder: join(folder, environment), port: 0, ...superuser });
  const at = { host: "127.0.0.1", port: server.port ?? 0 };
  const wanted = wantedOf(environment);
  const connections = ofKind("Connection").filter(({ metadata }) => metadata.environment === environment);
  const userOf = new Map(connections.map(({ metadata, spec }) => [metadata.name, String(spec.config["user"])]));
  const admins = new Map([...userOf.values()].map((user) => [user, newPassword()]));
  const today = new Map(
    wanted.map(({ ref, database, logins: [user = ""] }) => [ref, { ...at, database, user, password: newPassword() }]),
  );
  const databases = [...new Set(wanted.map(({ database }) => database))];
  await runStatements({ ...at, database: "postgres", user: "keeper", password }, [
    ...databases.map((database) => `CREATE DATABASE ${quoted(database)}`),
    ...[...admins].flatMap(([user, secret]) => [
      `CREATE ROLE ${quoted(user)} LOGIN CREATEROLE PASSWORD ${pg.escapeLiteral(secret)}`,
      `GRANT pg_signal_backend, pg_monitor TO ${quoted(user)}`,
    ]),
    ...wanted.flatMap((one) => rolesOf(one, today.get(one.ref)?.password ?? "", userOf.get(one.connection) ?? "")),
  ]);
  return { environment, port: at.port, today, admins, stop: () => server.stop() };
}

function rolesOf({ logins, owner, database }: Wanted, secret: string, admin: string): readonly string[] {
  const [first = "", ...free] = logins.map(quoted);
  const all = [...logins, ...(owner === undefined ? [] : [owner])].map(quoted);
  return [
    `CREATE ROLE ${first} LOGIN PASSWORD ${pg.escapeLiteral(secret)}`,
    ...free.map((login) => `CREATE ROLE ${login} NOLOGIN`),
    ...(owner === undefined
      ? []
      : [
          `CREATE ROLE ${quoted(owner)} NOLOGIN`,
          ...[first, ...free].flatMap((login) => [
            `GRANT ${quoted(owner)} TO ${login} WITH INHERIT TRUE, SET TRUE`,
            `ALTER ROLE ${login} SET role = ${pg.escapeLiteral(owner)}`,
          ]),
        ]),
    ...all.map((role) => `GRANT ${role} TO ${quoted(admin)} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`),
    `GRANT CONNECT ON DATABASE ${quoted(database)} TO ${all.join(", ")}`,
  ];
}
