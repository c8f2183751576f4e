import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { OperatorNeededError, PermanentError } from "../domain/errors.ts";
import { asUnreachable, locks } from "./database.ts";

const ownFolder = fileURLToPath(new URL("migrations", import.meta.url));

interface Migration {
  readonly name: string;
  readonly sha256: string;
  readonly text: string;
}

/** How the ledger's schema stands to this program's migrations. `changed`: one was edited after it had been applied. */
export type SchemaState =
  | { readonly state: "current" }
  | { readonly state: "older"; readonly pending: readonly string[] }
  | { readonly state: "newer"; readonly unknown: readonly string[] }
  | { readonly state: "changed"; readonly names: readonly string[] };

async function readMigrations(folder: string): Promise<readonly Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}-[a-z0-9-]+\.sql$/.test(name)).toSorted();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(`${folder}/${name}`, "utf8");
      return { name, text, sha256: createHash("sha256").update(text).digest("hex") };
    }),
  );
}

async function readApplied(client: pg.Client): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query<{ present: boolean }>(
    "SELECT to_regclass('schema_migrations') IS NOT NULL AS present",
  );
  if (rows[0]?.present !== true) return new Map();
  const applied = await client.query<{ name: string; sha256: string }>("SELECT name, sha256 FROM schema_migrations");
  return new Map(applied.rows.map((row) => [row.name, row.sha256]));
}

function compare(migrations: readonly Migration[], applied: ReadonlyMap<string, string>): SchemaState {
  const own = new Set(migrations.map(({ name }) => name));
  const unknown = [...applied.keys()].filter((name) => !own.has(name)).toSorted();
  if (unknown.length > 0) return { state: "newer", unknown };
  const names = migrations
    .filter(({ name, sha256 }) => (applied.get(name) ?? sha256) !== sha256)
    .map(({ name }) => name);
  if (names.length > 0) return { state: "changed", names };
  const pending = migrations.filter(({ name }) => !applied.has(name)).map(({ name }) => name);
  return pending.length > 0 ? { state: "older", pending } : { state: "current" };
}

function refuseUnfit(state: SchemaState): void {
  if (state.state === "newer")
    throw new OperatorNeededError(
      "ledger_schema",
      `The ledger has ${state.unknown.join(", ")}, which this program does not know. Run the newer release of rekey.`,
    );
  if (state.state === "changed")
    throw new PermanentError(
      "ledger_schema",
      `${state.names.join(", ")} differs from what was applied to the ledger. Install the release's own files again.`,
    );
}

/** One connection for the time of the work. */
export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({
    connectionString: url,
    application_name: "rekey migrate",
    connectionTimeoutMillis: 10_000,
  });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw asUnreachable(error) ?? asRefused(error) ?? error;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What an operator gets wrong on the way to a ledger of their own; the first connection of each program meets it. */
const refusals: Readonly<Record<string, string>> = {
  "28P01": "PostgreSQL refused the password of DATABASE_URL.",
  "28000": "PostgreSQL refused the login of DATABASE_URL: look at pg_hba.conf, and whether it asks for TLS.",
  "3D000": "There is no database of the name in DATABASE_URL. Create it, as docs/operating.md says.",
  "42501":
    "The login of DATABASE_URL may not do that. `rekey migrate` needs the one that owns the database, and gives the rights of the others with --grant-to.",
};
const tlsCodes = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

function asRefused(error: unknown): OperatorNeededError | undefined {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const isPlain = error instanceof Error && error.message === "The server does not support SSL connections";
  const detail =
    isPlain || tlsCodes.test(code)
      ? `The TLS of the ledger's PostgreSQL is not what DATABASE_URL asks for${isPlain ? "" : ` (${code})`}. Look at sslmode, sslrootcert and the host's name.`
      : refusals[code];
  return detail === undefined ? undefined : new OperatorNeededError("ledger_refused", detail);
}

/** Applies the next pending migration, if any, in a transaction that nobody else can be in. */
async function applyNext(client: pg.Client, migrations: readonly Migration[]): Promise<string | undefined> {
  await client.query("BEGIN");
  try {
    await client.query("SELECT pg_advisory_xact_lock($1)", [locks.migrate]);
    await client.query(
      "CREATE TABLE IF NOT EXISTS schema_migrations (name text PRIMARY KEY, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT clock_timestamp())",
    );
    const applied = await readApplied(client);
    refuseUnfit(compare(migrations, applied));
    const next = migrations.find(({ name }) => !applied.has(name));
    if (next !== undefined) {
      await client.query(next.text).catch((error: unknown) => {
        throw failure(next.name, error);
      });
      await client.query("INSERT INTO schema_migrations (name, sha256) VALUES ($1, $2)", [next.name, next.sha256]);
    }
    await client.query("COMMIT");
    return next?.name;
  } catch (error) {
    await client.query("ROLLBACK").catch(() => undefined);
    throw error;
  }
}

function failure(name: string, error: unknown): Error {
  const state = error instanceof pg.DatabaseError ? (error.code ?? "unknown") : undefined;
  if (state === undefined) return error instanceof Error ? error : new Error("the migration failed");
  return new PermanentError(
    "ledger_schema",
    `${name} was refused by PostgreSQL (SQLSTATE ${state}) and undone. Look at the server's log, then run it again.`,
  );
}

/** Brings the ledger's schema up to this program's. Several processes may do so at once. Returns what it applied. */
export async function migrate(url: string, folder: string = ownFolder): Promise<readonly string[]> {
  const migrations = await readMigrations(folder);
  return withClient(url, async (client) => {
    const done: string[] = [];
    for (;;) {
      const name = await applyNext(client, migrations);
      if (name === undefined) return done;
      done.push(name);
    }
  });
}

/** Compares without changing anything. */
export async function schemaState(url: string, folder: string = ownFolder): Promise<SchemaState> {
  const migrations = await readMigrations(folder);
  return withClient(url, async (client) => compare(migrations, await readApplied(client)));
}

/** For `serve` and `worker` at their start: refuses a ledger whose schema is not exactly this program's. */
export async function assertSchemaCurrent(url: string, folder: string = ownFolder): Promise<void> {
  const state = await schemaState(url, folder);
  refuseUnfit(state);
  if (state.state === "older")
    throw new OperatorNeededError(
      "ledger_schema",
      `The ledger lacks ${state.pending.join(", ")}. Run \`rekey migrate\`.`,
    );
}
