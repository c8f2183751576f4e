import { chown, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "../../embedded/postgres.ts";
import { newSecret } from "../harness/postgres-issuer.ts";
import type { TestTls } from "../harness/tls-files.ts";

const rolesFile = join(import.meta.dirname, "..", "..", "deploy", "postgresql", "roles.sql");

/** A PostgreSQL as an operator sets it up for the ledger: over TLS alone, with the roles of deploy/postgresql. */
export interface LedgerServer {
  /** As the login that owns the tables. */
  readonly ownerUrl: string;
  /** As the login of `serve` and workers. */
  readonly url: string;
  /** As the superuser, by the socket: an outside witness. */
  readonly witness: pg.Pool;
  stop(): Promise<void>;
}

export async function startLedgerServer(folder: string, tls: TestTls): Promise<LedgerServer> {
  const server = await startPostgres({
    ...{ folder, superuser: "keeper", password: newSecret(), port: 0 },
    settings: { max_connections: "150" },
    hba: ["hostssl all all 127.0.0.1/32 scram-sha-256", "local all keeper scram-sha-256"],
  });
  const { username, password } = new URL(server.url);
  const bySocket = (database: string) => ({
    ...{ host: server.socketDir, port: server.port ?? 0, user: username, password, database },
  });
  const keeper = new pg.Client(bySocket("postgres"));
  await keeper.connect();
  const [{ data_directory: data }] = (await keeper.query("SHOW data_directory")).rows as [{ data_directory: string }];
  const { uid, gid } = await stat(data);
  for (const [name, text] of Object.entries({ "server.crt": tls.cert, "server.key": tls.key })) {
    await writeFile(join(data, name), text, { mode: 0o600 });
    await chown(join(data, name), uid, gid);
  }
  await keeper.query("ALTER SYSTEM SET ssl = on");
  await keeper.query("SELECT pg_reload_conf()");
  const statements = (await readFile(rolesFile, "utf8")).replaceAll(/^--.*$/gm, "").split(";");
  for (const statement of statements) if (statement.trim() !== "") await keeper.query(statement);
  const logins = { rekey_owner: newSecret(), rekey: newSecret() };
  for (const [login, secret] of Object.entries(logins))
    await keeper.query(`ALTER ROLE ${login} PASSWORD ${pg.escapeLiteral(secret)}`);
  await keeper.end();
  const urlOf = (login: keyof typeof logins) =>
    `postgres://${login}:${logins[login]}@localhost:${server.port}/rekey?sslmode=verify-full&sslrootcert=${encodeURIComponent(tls.caFile)}`;
  const witness = new pg.Pool(bySocket("rekey"));
  witness.on("error", () => undefined);
  return {
    ownerUrl: urlOf("rekey_owner"),
    url: urlOf("rekey"),
    witness,
    async stop() {
      await witness.end();
      await server.stop();
    },
  };
}
