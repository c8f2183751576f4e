import { spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdir, open, realpath } from "node:fs/promises";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { boundLog, tailOf, watchLog } from "./bounded-log.ts";
import { lockWithin } from "./owner-lock.ts";
import { freePort, isAlive, listensOn } from "./processes.ts";
import { findProcess, readProcess, stopProcess, writeProcess, type TemporalProcess } from "./temporal-process.ts";
import { answersForNamespace } from "./temporal-ready.ts";

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

/** Everything of one folder. */
interface Place {
  readonly folder: string;
  readonly binary: string;
  readonly logFile: string;
  readonly recordFile: string;
}

const startLimitMs = 60_000;
const adoptLimitMs = 5000;
const attempts = 3;

/**
 * Starts a Temporal dev server on the folder, or adopts the one that a crashed process of ours left running there. Two
 * that start at once on one folder get the same server. It admits every local user: its namespace is not trusted.
 */
export async function startTemporal(options: TemporalOptions): Promise<RunningTemporal> {
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  const folder = await realpath(options.folder);
  await chmod(folder, 0o700);
  const place = {
    folder,
    binary: await realpath(options.binary),
    logFile: join(folder, "temporal.log"),
    recordFile: join(folder, "server.json"),
  };
  const starting = await lockWithin(
    join(folder, "start.lock"),
    2 * startLimitMs,
    `Another process has been starting Temporal in ${folder} for too long. End it, then try again.`,
  );
  try {
    const before = await readProcess(place.recordFile);
    return (await adopt(place, before, options)) ?? (await start(place, before, options));
  } finally {
    starting.release();
  }
}

async function adopt(
  place: Place,
  before: TemporalProcess | undefined,
  options: TemporalOptions,
): Promise<RunningTemporal | undefined> {
  const log = options.log ?? (() => undefined);
  const survivor = await findProcess(place.folder, before, basename(place.binary));
  if (survivor === undefined) return undefined;
  const isWanted = (options.port === undefined || options.port === survivor.port) && options.uiPort === survivor.uiPort;
  if (isWanted && (await isReadyWithin(survivor, adoptLimitMs))) {
    await writeProcess(place.recordFile, survivor);
    log(`adopted the Temporal server that was still running (pid ${survivor.pid})`);
    return running(survivor, place);
  }
  log(`stopping the Temporal server that was still running: ${isWanted ? "it does not answer" : "its ports changed"}`);
  await stopProcess(survivor.pid);
  return undefined;
}

async function start(
  place: Place,
  before: TemporalProcess | undefined,
  options: TemporalOptions,
): Promise<RunningTemporal> {
  for (let attempt = 1; ; attempt++) {
    const port = options.port ?? (attempt === 1 ? before?.port : undefined) ?? (await freePort());
    const child = await launch(place, port, options.uiPort);
    const { pid } = child;
    if (pid === undefined) throw new Error(`The Temporal program ${place.binary} cannot be started.`);
    const record = { pid, port, uiPort: options.uiPort };
    await writeProcess(place.recordFile, record);
    if (await isReadyWithin(record, startLimitMs)) {
      options.log?.(`Temporal runs (pid ${pid}, 127.0.0.1:${port})`);
      return running(record, place);
    }
    const isTooSlow = await isAlive(pid);
    if (isTooSlow) await stopProcess(pid);
    // Somebody else may have taken the port since it was seen free: another one then does.
    if (attempt < attempts && !isTooSlow && options.port === undefined) continue;
    const what = isTooSlow ? `is not ready after ${startLimitMs / 1000} s` : "did not start";
    throw new Error(`Temporal ${what}. Its log ${place.logFile} ends with:\n${await tailOf(place.logFile)}`);
  }
}

async function launch(place: Place, port: number, uiPort: number | undefined): Promise<ChildProcess> {
  await boundLog(place.logFile);
  const out = await open(place.logFile, "a", 0o600);
  const child = spawn(place.binary, argumentsFor(port, uiPort), {
    cwd: place.folder,
    detached: true, // its own process group: a Ctrl-C in the terminal must not stop it before the worker has
    stdio: ["ignore", out.fd, out.fd],
    env: { PATH: "/usr/bin:/bin", HOME: place.folder, TZ: "UTC" },
  });
  child.on("error", () => undefined); // told by the missing pid
  child.unref();
  await out.close();
  return child;
}

/**
 * https://docs.temporal.io/cli/server: no settings of the user's own `temporal` command may reach this server. The file
 * is named from inside its folder: a path with a `?` would be cut there.
 */
function argumentsFor(port: number, uiPort: number | undefined): string[] {
  const args = ["server", "start-dev", "--ip", "127.0.0.1", "--port", String(port), "--db-filename", "temporal.db"];
  args.push(...(uiPort === undefined ? ["--headless"] : ["--ui-ip", "127.0.0.1", "--ui-port", String(uiPort)]));
  return [...args, "--log-level", "error", "--log-format", "json", "--disable-config-file", "--disable-config-env"];
}

async function isReadyWithin({ pid, port }: TemporalProcess, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (performance.now() < end) {
    if (!(await isAlive(pid))) return false;
    // Somebody else's server on this port would answer too, while ours is about to give up.
    if ((await listensOn(pid, port)) !== false && (await answersForNamespace(port)) && (await isAlive(pid)))
      return true;
    await sleep(25);
  }
  return false;
}

function running(server: TemporalProcess, place: Place): RunningTemporal {
  const unwatch = watchLog(place.logFile);
  return {
    address: `127.0.0.1:${server.port}`,
    pid: server.pid,
    async stop() {
      unwatch();
      // The number may long belong to somebody else.
      const found = await findProcess(place.folder, server, basename(place.binary));
      if (found?.pid === server.pid) await stopProcess(server.pid);
    },
  };
}
