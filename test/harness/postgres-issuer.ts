import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, test } from "vitest";
import { startPostgres } from "../../embedded/postgres.ts";
import { needs } from "./needs.ts";

/** A server to rotate logins of, with what a test does to it behind the provider's back. */
export interface IssuerServer {
  readonly version: number;
  readonly host: string;
  readonly port: number;
  readonly superuser: { readonly user: string; readonly password: string };
  readonly socketFolder: string;
  /** As the superuser, in the database `postgres` or another. */
  ask(text: string, database?: string): Promise<readonly Record<string, unknown>[]>;
  /** Adds an access rule above those for everybody, and has the server read it. */
  addRule(line: string): Promise<void>;
  removeRule(line: string): Promise<void>;
  /** Logs in as an outside witness: `accepted`, or the server's SQLSTATE. */
  logsIn(user: string, password: string, database?: string): Promise<string>;
  /** A session that stays until `stop`, or until it is ended. Idle sessions that are ended fail nothing. */
  openSession(user: string, password: string, how?: { database?: string; name?: string }): Promise<pg.Client>;
  /** Takes the server away, sessions and all, until `resume`. */
  halt(): Promise<void>;
  /** Brings it back: the same data at the same address. */
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** A release that tests run on. `missing`: why it is not to be had here. */
export interface Release {
  readonly name: string;
  readonly binaries?: string;
  readonly missing?: string;
}

const debian = "/usr/lib/postgresql/15/bin";

export const releases: readonly Release[] = [
  { name: "PostgreSQL 18" },
  existsSync(join(debian, "postgres"))
    ? { name: "PostgreSQL 15", binaries: debian }
    : { name: "PostgreSQL 15", missing: `no PostgreSQL 15 in ${debian}: apt-get install postgresql-15` },
];

/** The same tests on a server of each release. One that is missing is skipped with its reason, or fails where all are required. */
export function onEachRelease(tests: (server: () => IssuerServer) => void): void {
  for (const release of releases)
    describe(`on ${release.name}`, () => {
      const { missing } = release;
      if (missing !== undefined) {
        test(`runs on ${release.name}`, (context) => needs(context, false, missing));
        return;
      }
      let server: IssuerServer | undefined;
      beforeAll(async () => {
        server = await startIssuerServer(release);
      });
      afterAll(() => server?.stop());
      tests(() => {
        if (server === undefined) throw new Error("The server did not start.");
        return server;
      });
    });
}

/** Members of this role are let in without a password, and members of the other not at all. */
export const trusted = "trusted";
export const barred = "barred";

export const newSecret = (): string => randomBytes(24).toString("base64url");

export async function startIssuerServer(
  { binaries, missing }: Release,
  settings: Readonly<Record<string, string>> = {},
): Promise<IssuerServer> {
  if (missing !== undefined) throw new Error(missing);
  const folder = await mkdtemp(join(tmpdir(), "rk-"));
  const superuser = { user: "keeper", password: newSecret() };
  const place = {
    folder,
    superuser: superuser.user,
    password: superuser.password,
    binaries,
    settings: { max_connections: "60", ...settings },
    hba: [
      `host all +${barred} 127.0.0.1/32 reject`,
      `host all +${trusted} 127.0.0.1/32 trust`,
      "host all owner_lonely 127.0.0.1/32 trust",
      "host trusting all 127.0.0.1/32 trust",
      "host clear all 127.0.0.1/32 password",
      "host all all 127.0.0.1/32 scram-sha-256",
      "local all all scram-sha-256",
    ],
  };
  let server = await startPostgres({ ...place, port: 0 });
  const at = { host: "127.0.0.1", port: server.port ?? 0 };
  const open = new Set<pg.Client>();

  async function connect(user: string, password: string, database: string, name: string): Promise<pg.Client> {
    const client = new pg.Client({ ...at, user, password, database, application_name: name });
    client.on("error", () => undefined);
    await client.connect();
    return client;
  }

  async function ask(text: string, database = "postgres"): Promise<readonly Record<string, unknown>[]> {
    const client = await connect(superuser.user, superuser.password, database, "keeper");
    try {
      const answer = (await client.query<Record<string, unknown>>(text)) as
        | pg.QueryResult<Record<string, unknown>>
        | pg.QueryResult<Record<string, unknown>>[];
      return Array.isArray(answer) ? (answer.at(-1)?.rows ?? []) : answer.rows;
    } finally {
      await client.end();
    }
  }

  async function editRules(edit: (text: string) => string): Promise<void> {
    const [file] = await ask("SHOW hba_file");
    const path = String(file?.["hba_file"]);
    await writeFile(path, edit(await readFile(path, "utf8")));
    await ask("SELECT pg_reload_conf()");
  }

  for (const database of ["orders", "trusting", "clear"]) await ask(`CREATE DATABASE ${database}`);
  await ask(`CREATE ROLE ${barred}; CREATE ROLE ${trusted}`);
  const [row] = await ask("SELECT current_setting('server_version_num')::int AS version");
  return {
    ...at,
    version: Number(row?.["version"]),
    superuser,
    socketFolder: server.socketDir,
    ask,
    addRule: (line) => editRules((text) => text.replace("host all all", `${line}\nhost all all`)),
    removeRule: (line) => editRules((text) => text.replace(`${line}\n`, "")),
    async logsIn(user, password, database = "orders") {
      try {
        const client = await connect(user, password, database, "witness");
        await client.end();
        return "accepted";
      } catch (error) {
        return error instanceof pg.DatabaseError ? (error.code ?? "unknown") : "unreachable";
      }
    },
    async openSession(user, password, { database = "orders", name = "shop" } = {}) {
      const client = await connect(user, password, database, name);
      open.add(client);
      return client;
    },
    async halt() {
      await server.stop();
    },
    async resume() {
      server = await startPostgres({ ...place, port: at.port });
    },
    async stop() {
      for (const client of open) await client.end().catch(() => undefined);
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface PairOfLogins {
  readonly owner: string;
  readonly logins: readonly [string, string];
  readonly admin: { readonly user: string; readonly password: string };
  /** Of the first login, which can log in; the second cannot. */
  readonly password: string;
}

const quoted = pg.escapeIdentifier;

/** An owner role, two logins of which the first is in use, and an admin that has just the rights it needs. */
export async function makePair(server: IssuerServer, names: { readonly suffix?: string } = {}): Promise<PairOfLogins> {
  const mark = names.suffix ?? randomBytes(5).toString("hex");
  const owner = `owner_${mark}`;
  const logins = [`a_${mark}`, `b_${mark}`] as const;
  const admin = { user: `admin_${mark}`, password: newSecret() };
  const password = newSecret();
  const options = server.version >= 160_000 ? " WITH INHERIT TRUE, SET TRUE" : "";
  await server.ask(`
    CREATE ROLE ${quoted(owner)} NOLOGIN;
    CREATE ROLE ${quoted(logins[0])} LOGIN PASSWORD ${pg.escapeLiteral(password)};
    CREATE ROLE ${quoted(logins[1])} NOLOGIN;
    GRANT ${quoted(owner)} TO ${quoted(logins[0])}${options};
    ALTER ROLE ${quoted(logins[0])} SET role = ${pg.escapeLiteral(owner)};`);
  await makeAdmin(server, admin, [owner, ...logins]);
  return { owner, logins, admin, password };
}

export async function makeAdmin(
  server: IssuerServer,
  { user, password }: { readonly user: string; readonly password: string },
  roles: readonly string[],
): Promise<void> {
  await server.ask(`
    CREATE ROLE ${quoted(user)} LOGIN CREATEROLE PASSWORD ${pg.escapeLiteral(password)};
    GRANT pg_signal_backend, pg_monitor TO ${quoted(user)};`);
  if (server.version < 160_000) return;
  for (const role of roles)
    await server.ask(`GRANT ${quoted(role)} TO ${quoted(user)} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE`);
}
