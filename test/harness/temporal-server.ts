import { randomInt } from "node:crypto";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { openSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { setTimeout as pause } from "node:timers/promises";
import { Client, Connection } from "@temporalio/client";
import pg from "pg";
import { startPostgres, type RunningPostgres } from "../../embedded/postgres.ts";
import { foundServer } from "./found-server.ts";
import { newSecret } from "./postgres-issuer.ts";
import { withTlsFiles, type TestTls } from "./tls-files.ts";

/** Temporal as it runs in production: its own server, its databases in a PostgreSQL, TLS that asks for certificates. */
export interface TemporalServer {
  readonly address: string;
  readonly namespace: string;
  readonly tls: TestTls;
  readonly client: Client;
  start(): Promise<void>;
  /** SIGKILL to the server; its PostgreSQL goes on. */
  kill(): Promise<void>;
  /** With Temporal halted: copies its databases away. */
  save(): Promise<void>;
  /** With Temporal halted: puts the copy in their place. */
  restore(): Promise<void>;
  stop(): Promise<void>;
}

const [server, sqlTool] = ["temporal-server", "temporal-sql-tool"].map((each) => foundServer("temporal-server", each));

export const hasTemporalServer = server !== undefined && sqlTool !== undefined;
export const noTemporalServer = "There is no Temporal server for PostgreSQL here. 'npm run setup -- --servers' gets it";

const run = promisify(execFile);
const databases = { temporal: "temporal", temporal_visibility: "visibility" } as const;

export async function startTemporalServer(folder: string, namespace: string): Promise<TemporalServer> {
  if (server === undefined || sqlTool === undefined) throw new Error(noTemporalServer);
  const login = { user: "temporal", password: newSecret() };
  await mkdir(join(folder, "tls"), { recursive: true });
  const tls = await withTlsFiles(join(folder, "tls"));
  const at = { folder: join(folder, "postgres"), superuser: login.user, password: login.password };
  let cluster = await startPostgres({ ...at, port: 0 });
  const port = cluster.port ?? 0;
  await makeDatabases(sqlTool, login, port);
  const ports = await serverPorts();
  const environment = { ...environmentFor(login, port, tls), ...ports };
  const dynamic = join(folder, "dynamic.yaml");
  await writeFile(dynamic, "{}\n");
  const log = join(folder, "temporal.log");
  const address = `localhost:${ports.FRONTEND_GRPC_PORT}`;
  let child: ChildProcess | undefined;
  let connection: Connection | undefined;

  async function halt(): Promise<void> {
    await connection?.close();
    connection = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  async function start(): Promise<void> {
    const out = openSync(log, "a");
    child = spawn(server ?? "", ["--allow-no-auth", "start"], {
      cwd: folder,
      stdio: ["ignore", out, out],
      env: { PATH: "/usr/bin:/bin", HOME: folder, DYNAMIC_CONFIG_FILE_PATH: dynamic, ...environment },
    });
    connection = await untilAnswers(child, address, tls, log);
    await makeNamespace(connection, namespace);
  }

  const saved = join(folder, "saved");
  await start().catch(async (error: unknown) => {
    await halt();
    await cluster.stop();
    throw error;
  });
  return {
    address,
    namespace,
    tls,
    get client() {
      if (connection === undefined) throw new Error("Temporal is halted.");
      return new Client({ connection, namespace });
    },
    start,
    kill: halt,
    async save() {
      const data = await dataFolder(cluster);
      await cluster.stop();
      await rm(saved, { recursive: true, force: true });
      await copy(data, saved);
      cluster = await startPostgres({ ...at, port });
    },
    async restore() {
      const data = await dataFolder(cluster);
      await cluster.stop();
      await rm(data, { recursive: true });
      await copy(saved, data);
      cluster = await startPostgres({ ...at, port });
    },
    async stop() {
      await halt();
      await cluster.stop();
    },
  };
}

/** With its owner: the server runs as another user where we are root. */
const copy = async (from: string, to: string): Promise<void> => void (await run("cp", ["-a", from, to]));

async function dataFolder({ url }: RunningPostgres): Promise<string> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ data_directory: string }>("SHOW data_directory");
    return rows[0]?.data_directory ?? "";
  } finally {
    await client.end();
  }
}

/** https://docs.temporal.io/self-hosted-guide/upgrade-server shows the tool's words. */
async function makeDatabases(
  tool: string,
  { user, password }: { readonly user: string; readonly password: string },
  port: number,
): Promise<void> {
  const env = {
    ...{ PATH: "/usr/bin:/bin", SQL_PLUGIN: "postgres12", SQL_HOST: "127.0.0.1", SQL_PORT: String(port) },
    ...{ SQL_USER: user, SQL_PASSWORD: password },
  };
  for (const [database, schema] of Object.entries(databases)) {
    const ask = async (...args: readonly string[]) => run(tool, ["--db", database, ...args], { env });
    await ask("create-database");
    await ask("setup-schema", "-v", "0.0");
    await ask("update-schema", "--schema-name", `postgresql/v12/${schema}`);
  }
}

async function serverPorts() {
  const names = ["FRONTEND", "MATCHING", "HISTORY", "WORKER"].flatMap((name) => [
    `${name}_GRPC_PORT`,
    `${name}_MEMBERSHIP_PORT`,
  ]);
  const found: Record<string, string> = {};
  for (const name of [...names, "FRONTEND_HTTP_PORT"]) found[name] = String(await lowPort());
  return found as Readonly<Record<string, string>> & { readonly FRONTEND_GRPC_PORT: string };
}

/** The server keeps its ports in a column of two signed bytes. */
async function lowPort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

function environmentFor(login: { readonly user: string; readonly password: string }, port: number, tls: TestTls) {
  return {
    ...{ DB: "postgres12", DB_PORT: String(port), POSTGRES_SEEDS: "127.0.0.1", LOG_LEVEL: "warn" },
    ...{ POSTGRES_USER: login.user, POSTGRES_PWD: login.password, BIND_ON_IP: "127.0.0.1" },
    ...{ TEMPORAL_BROADCAST_ADDRESS: "127.0.0.1", TEMPORAL_TLS_REQUIRE_CLIENT_AUTH: "true" },
    ...{ TEMPORAL_TLS_SERVER_CA_CERT: tls.caFile, TEMPORAL_TLS_SERVER_CERT: tls.certFile },
    ...{ TEMPORAL_TLS_SERVER_KEY: tls.keyFile, TEMPORAL_TLS_INTERNODE_SERVER_NAME: "localhost" },
    ...{ TEMPORAL_TLS_FRONTEND_CERT: tls.certFile, TEMPORAL_TLS_FRONTEND_KEY: tls.keyFile },
    ...{ TEMPORAL_TLS_CLIENT1_CA_CERT: tls.caFile, TEMPORAL_TLS_CLIENT2_CA_CERT: tls.caFile },
    ...{ TEMPORAL_TLS_FRONTEND_SERVER_NAME: "localhost" },
  };
}

async function untilAnswers(child: ChildProcess, address: string, tls: TestTls, log: string): Promise<Connection> {
  const end = performance.now() + 90_000;
  for (;;) {
    try {
      const connection = await Connection.connect({
        address,
        connectTimeout: "2 seconds",
        tls: {
          serverRootCACertificate: Buffer.from(tls.ca),
          clientCertPair: { crt: Buffer.from(tls.cert), key: Buffer.from(tls.key) },
        },
      });
      return connection;
    } catch (error) {
      if (child.exitCode !== null || performance.now() > end)
        throw new Error(`Temporal does not answer (${String(error)}):\n${readFileSync(log, "utf8").slice(-3000)}`, {
          cause: error,
        });
    }
    await pause(200);
  }
}

const alreadyThere = 6; // gRPC's ALREADY_EXISTS

async function makeNamespace({ workflowService }: Connection, namespace: string): Promise<void> {
  await workflowService
    .registerNamespace({ namespace, workflowExecutionRetentionPeriod: { seconds: 86_400 as unknown as never } })
    .catch((error: unknown) => {
      if ((error as { readonly code?: number }).code !== alreadyThere) throw error;
    });
  // A namespace that was just made is known to every part of the server only seconds later.
  const end = performance.now() + 60_000;
  for (;;) {
    try {
      await workflowService.listWorkflowExecutions({ namespace, pageSize: 1 });
      await workflowService.describeTaskQueue({ namespace, taskQueue: { name: "rekey" } });
      return;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
    await pause(200);
  }
}
