import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll } from "vitest";
import { openLedger, type Ledger } from "../../ledger/database.ts";
import { migrate } from "../../ledger/migrate.ts";

export interface TestLedger {
  readonly ledger: Ledger;
  /** Of a superuser, for tests that do what a thief with the database would. */
  readonly url: string;
  close(): Promise<void>;
}

interface Cluster {
  readonly url: string;
  stop(): Promise<void>;
}

let cluster: Promise<Cluster> | undefined;
let template: Promise<string> | undefined;
const open = new Set<TestLedger>();

/** A server that is there already saves starting one per test file; its databases are dropped again. */
async function startCluster(): Promise<Cluster> {
  const given = process.env["REKEY_TEST_POSTGRES"];
  if (given !== undefined && given !== "") return { url: given, stop: () => Promise.resolve() };
  const { startPostgres } = await import("../../embedded/postgres.ts");
  const folder = await mkdtemp(join(tmpdir(), "rk-"));
  const password = randomBytes(16).toString("hex");
  const server = await startPostgres({ folder, port: "socket-only", superuser: "rekey", password });
  return {
    url: server.url,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function administer(statement: string): Promise<void> {
  const { url } = await (cluster ??= startCluster());
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}

function onDatabase(url: string, database: string): string {
  const [address = "", query] = url.split("?", 2);
  const base = address.replace(/^(\w+:\/\/[^/]*)(\/.*)?$/, `$1/${database}`);
  return query === undefined ? base : `${base}?${query}`;
}

const newName = () => `t_${randomBytes(8).toString("hex")}`;

/** An empty database, not migrated. Dropped by nobody but the end of its cluster. */
export async function withDatabase(): Promise<string> {
  const name = newName();
  await administer(`CREATE DATABASE ${name}`);
  return onDatabase((await (cluster ??= startCluster())).url, name);
}

async function makeTemplate(): Promise<string> {
  const url = await withDatabase();
  await migrate(url);
  return /\/(t_[0-9a-f]+)/.exec(url)?.[1] ?? "";
}

/** A migrated ledger of its own, on one cluster per test file. Closed at the end of the file if not before. */
export async function withLedger(): Promise<TestLedger> {
  const from = await (template ??= makeTemplate());
  const name = newName();
  await administer(`CREATE DATABASE ${name} TEMPLATE ${from}`);
  const url = onDatabase((await (cluster ??= startCluster())).url, name);
  const ledger = openLedger(url);
  const test: TestLedger = {
    ledger,
    url,
    async close() {
      if (!open.delete(test)) return;
      await ledger.close();
      await administer(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
  open.add(test);
  return test;
}

afterAll(async () => {
  for (const test of open) await test.close();
  if (cluster === undefined) return;
  if (template !== undefined) await administer(`DROP DATABASE IF EXISTS ${await template}`);
  await (await cluster).stop();
});
