import { execFile, spawn } from "node:child_process";
import { mkdir, open, readFile, readdir, realpath, rename, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { boundLog, tailOf, watchLog } from "./bounded-log.ts";
import { freePort, isAlive, isGoneWithin, isProcessOf } from "./processes.ts";

export interface TemporalOptions {
  /** Holds the database file, the log and the record of the running server. Created when absent. */
  readonly folder: string;
  /** The `temporal` program, see find-temporal.ts. */
  readonly binary: string;
  /** Default: the port used before in this folder, else a free one. */
  readonly port?: number | undefined;
  /** A port for Temporal's own web page; without it there is none. */
  readonly uiPort?: number | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

export interface RunningTemporal {
  /** `127.0.0.1:<port>` */
  readonly address: string;
  readonly pid: number;
  /** Stops the server; its histories stay in the folder. */
  stop(): Promise<void>;
}

interface ServerRecord {
  readonly pid: number;
  readonly port: number;
  readonly uiPort: number | undefined;
}

const startLimitMs = 60_000;

/** Starts a Temporal dev server on the folder, or adopts the one that a crashed process of ours left running there. */
export async function startTemporal(options: TemporalOptions): Promise<RunningTemporal> {
  const log = options.log ?? (() => undefined);
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const folder = await realpath(options.folder);
  const binary = await realpath(options.binary);
  const database = join(folder, "temporal.db");
  const logFile = join(folder, "temporal.log");
  const recordFile = join(folder, "server.json");

  const before = await readRecord(recordFile);
  const survivor = await findServer(database, before, basename(binary));
  if (survivor !== undefined) {
    const fits = (options.port === undefined || options.port === survivor.port) && options.uiPort === survivor.uiPort;
    if (fits) {
      await untilReady(binary, survivor.port, survivor.pid, logFile);
      await writeRecord(recordFile, survivor);
      log(`adopted the Temporal server that was still running (pid ${survivor.pid})`);
      return running(survivor, logFile);
    }
    log("stopping the Temporal server that was still running: its ports have changed");
    await stopServer(survivor.pid);
  }

  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (attempt === 1 ? before?.port : undefined) ?? (await freePort());
    await boundLog(logFile);
    const out = await open(logFile, "a", 0o600);
    const child = spawn(binary, argumentsFor(port, options.uiPort, database), {
      cwd: folder,
      detached: true, // its own process group: a Ctrl-C in the terminal must not stop it before the worker has
      stdio: ["ignore", out.fd, out.fd],
      env: { PATH: "/usr/bin:/bin", HOME: folder, TZ: "UTC" },
    });
    const failed = new Promise<never>((_, reject) => child.once("error", reject));
    child.unref();
    const { pid } = child;
    try {
      if (pid === undefined) return await failed;
      const record = { pid, port, uiPort: options.uiPort };
      await writeRecord(recordFile, record);
      await untilReady(binary, port, pid, logFile);
      log(`Temporal runs (pid ${pid}, 127.0.0.1:${port})`);
      return await running(record, logFile);
    } catch (error) {
      if (pid !== undefined && (await isAlive(pid))) await stopServer(pid);
      if (attempt === 3) throw error; // a port taken by somebody else in between passes with another one
    } finally {
      await out.close();
    }
  }
}

/** https://docs.temporal.io/cli/server: no settings of the user's own `temporal` command may reach this server. */
function argumentsFor(port: number, uiPort: number | undefined, database: string): string[] {
  const args = ["server", "start-dev", "--ip", "127.0.0.1", "--port", String(port), "--db-filename", database];
  args.push(...(uiPort === undefined ? ["--headless"] : ["--ui-ip", "127.0.0.1", "--ui-port", String(uiPort)]));
  return [...args, "--log-level", "error", "--log-format", "json", "--disable-config-file", "--disable-config-env"];
}

async function readRecord(path: string): Promise<ServerRecord | undefined> {
  try {
    const { pid, port, uiPort } = JSON.parse(await readFile(path, "utf8")) as Partial<ServerRecord>;
    return pid === undefined || port === undefined ? undefined : { pid, port, uiPort };
  } catch {
    return undefined; // absent, or torn by a crash
  }
}

async function writeRecord(path: string, record: ServerRecord): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/**
 * The server that has this database open. A crash between its start and the record would hide it, and two servers on
 * one file destroy it: so on Linux every process is looked at, elsewhere the recorded one.
 */
async function findServer(
  database: string,
  record: ServerRecord | undefined,
  program: string,
): Promise<ServerRecord | undefined> {
  if (process.platform !== "linux") {
    return record !== undefined && (await isProcessOf(record.pid, program, database)) ? record : undefined;
  }
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const args = (await readFile(`/proc/${name}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (!args.includes(database) || !args.includes("start-dev") || !(await isAlive(Number(name)))) continue;
    const numberAfter = (flag: string): number | undefined =>
      args.includes(flag) ? Number(args[args.indexOf(flag) + 1]) : undefined;
    const port = numberAfter("--port");
    if (port !== undefined) return { pid: Number(name), port, uiPort: numberAfter("--ui-port") };
  }
  return undefined;
}

/** Ready is: the namespace answers. The port is open well before. */
async function untilReady(binary: string, port: number, pid: number, logFile: string): Promise<void> {
  const end = performance.now() + startLimitMs;
  const question = ["operator", "namespace", "describe", "-n", "default", "--address", `127.0.0.1:${port}`];
  question.push("--command-timeout", "3s", "--disable-config-file", "--disable-config-env");
  for (;;) {
    const answered = await promisify(execFile)(binary, question, { env: { HOME: "/nonexistent" } }).then(
      () => true,
      () => false,
    );
    // Somebody else's server on this port would answer too, while ours has given up.
    if (!(await isAlive(pid)))
      throw new Error(`Temporal did not start. Its log ${logFile} ends with:\n${await tailOf(logFile)}`);
    if (answered) return;
    if (performance.now() > end)
      throw new Error(`Temporal (pid ${pid}) is not ready after ${startLimitMs / 1000} s. See ${logFile}.`);
    await sleep(100);
  }
}

async function stopServer(pid: number): Promise<void> {
  for (const [signal, limitMs] of [
    ["SIGINT", 15_000],
    ["SIGKILL", 5000],
  ] as const) {
    if (!(await isAlive(pid))) return;
    process.kill(pid, signal);
    if (await isGoneWithin(pid, limitMs)) return;
  }
  throw new Error(`The Temporal server (pid ${pid}) does not stop.`);
}

async function running(record: ServerRecord, logFile: string): Promise<RunningTemporal> {
  const unwatch = watchLog(logFile);
  const program = `/proc/${record.pid}/cmdline`;
  const started = await readFile(program, "utf8").catch(() => undefined);
  return {
    address: `127.0.0.1:${record.port}`,
    pid: record.pid,
    async stop() {
      unwatch();
      // The number may long belong to somebody else.
      if ((await readFile(program, "utf8").catch(() => undefined)) === started) await stopServer(record.pid);
    },
  };
}
