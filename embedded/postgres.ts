import { spawn } from "node:child_process";
import { chmod, chown, mkdir, open, readFile, realpath, rename, rm, unlink, writeFile } from "node:fs/promises";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { boundLog, tailOf, watchLog } from "./bounded-log.ts";
import { findPostgresBinaries } from "./postgres-binaries.ts";
import { makeCluster } from "./postgres-cluster.ts";
import { leaveSocketFolder, placeFor, socketFolder } from "./postgres-place.ts";
import { freePort, isAlive, isGoneWithin, isProcessOf, processesIn } from "./processes.ts";
import { unprivilegedAccount, type Account } from "./unprivileged.ts";

export interface PostgresOptions {
  /** Holds everything of this server. Created when absent. */
  readonly folder: string;
  /** Name of the superuser, fixed when the folder is first made. Default `rekey`. */
  readonly superuser?: string | undefined;
  /** The superuser's password, fixed when the folder is first made. Without one only the private socket admits. */
  readonly password?: string | undefined;
  /** `socket-only` (the default) listens nowhere else; a number, or 0 for a free one, listens on 127.0.0.1 with SCRAM. */
  readonly port?: number | "socket-only" | undefined;
  /** A database to make when the folder is first made (a plain lower-case name), and to name in `url`. Default `postgres`. */
  readonly database?: string | undefined;
  readonly log?: ((line: string) => void) | undefined;
  /** A folder with `postgres` and `initdb`, instead of the bundled ones or the system's. */
  readonly binaries?: string | undefined;
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** Lines of pg_hba.conf that replace all others. */
  readonly hba?: readonly string[] | undefined;
}

export interface RunningPostgres {
  readonly socketDir: string;
  readonly port: number | undefined;
  /** As the superuser, password included: secret when one was given. */
  readonly url: string;
  readonly pid: number;
  /** Ends sessions and stops the server; its data stays. */
  stop(): Promise<void>;
}

const socketPort = 5432;
const startLimitMs = 60_000;

/** Starts PostgreSQL on the folder, or adopts the server that a crashed process of ours left running there. */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  const superuser = options.superuser ?? "rekey";
  const port = options.port ?? "socket-only";
  if (port !== "socket-only" && options.password === undefined && options.hba === undefined) {
    throw new Error("A PostgreSQL that listens on a port needs a password for its superuser.");
  }
  const database = options.database ?? "postgres";
  if (!/^[a-z][a-z0-9_]{0,62}$/.test(database)) throw new Error(`'${database}' is no plain name for a database.`);
  const log = options.log ?? (() => undefined);
  const account = unprivilegedAccount();
  const place = await placeFor(options.folder, account);
  const data = join(place, "data");
  const socketDir = await socketFolder(place, socketPort, account);
  const logFile = join(place, "postgres.log");

  const ours = { place, data, socketDir, superuser, database, password: options.password, logFile };
  const live = await liveServer(data);
  if (live !== undefined) {
    const wanted = configuration({
      port: port === "socket-only" || port !== 0 ? port : (live.tcp ?? 0),
      socketDir,
      settings: options.settings,
    });
    const current = await readFile(join(data, "rekey.conf"), "utf8").catch(() => "");
    if (current === wanted && (await sameHba(data, options.hba))) {
      log(`adopted the PostgreSQL that was still running (pid ${live.pid})`);
      await untilReady(data, live.pid, logFile);
      return running({ pid: live.pid, tcp: live.tcp, ...ours });
    }
    log("stopping the PostgreSQL that was still running: its settings have changed");
    await stopServer(live.pid, data);
  }

  const binaries = await findPostgresBinaries(account, options.binaries);
  await makeCluster({ binaries, place, data, superuser, password: options.password, database, account, log });
  await clearReusedPid(data, socketDir);
  for (let attempt = 1; ; attempt++) {
    const tcp =
      port === "socket-only"
        ? undefined
        : port !== 0
          ? port
          : ((attempt === 1 ? await formerPort(data) : undefined) ?? (await freePort()));
    await configure({ data, socketDir, tcp, account, options });
    await boundLog(logFile);
    const out = await open(logFile, "a", 0o600);
    const child = spawn(join(binaries, "postgres"), ["-D", data], {
      cwd: data,
      detached: true, // its own process group: a Ctrl-C in the terminal must not stop it before the worker has
      stdio: ["ignore", out.fd, out.fd],
      env: { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" },
      ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
    });
    const failed = new Promise<never>((_, reject) => child.once("error", reject));
    child.unref();
    try {
      const pid = await Promise.race([pidOf(child), failed]);
      await Promise.race([untilReady(data, pid, logFile), failed]);
      log(`PostgreSQL runs (pid ${pid}, ${tcp === undefined ? "private socket" : `127.0.0.1:${tcp}`})`);
      return await running({ pid, tcp, ...ours });
    } catch (error) {
      // A lost race for the port, or processes of a killed server that are not gone yet: both pass.
      if (attempt === 5 || (port !== 0 && port !== "socket-only" && attempt === 3)) throw error;
      await sleep(300 * attempt);
    } finally {
      await out.close();
    }
  }
}

async function pidOf(child: { readonly pid?: number | undefined }): Promise<number> {
  if (child.pid !== undefined) return child.pid;
  return new Promise<never>(() => undefined); // the 'error' event tells why
}

interface LockFile {
  readonly pid: number;
  readonly port: number;
  readonly listens: boolean;
  readonly isReady: boolean;
}

/** postmaster.pid, https://www.postgresql.org/docs/18/storage-file-layout.html: pid, folder, start, port, socket, address, memory, status. */
async function lockFile(data: string): Promise<LockFile | undefined> {
  const text = await readFile(join(data, "postmaster.pid"), "utf8").catch(() => undefined);
  const lines = text?.split("\n").map((line) => line.trim());
  const pid = Number(lines?.[0]);
  if (lines === undefined || !(pid > 1)) return undefined;
  return { pid, port: Number(lines[3]), listens: (lines[5] ?? "") !== "", isReady: lines[7] === "ready" };
}

async function liveServer(data: string): Promise<{ pid: number; tcp: number | undefined } | undefined> {
  const lock = await lockFile(data);
  if (lock === undefined || !(await isProcessOf(lock.pid, "postgres", await realpath(data)))) return undefined;
  return { pid: lock.pid, tcp: lock.listens ? lock.port : undefined };
}

/**
 * PostgreSQL clears the lock file of a dead server itself, after looking for survivors in shared memory. It cannot when
 * the number now belongs to a stranger (as after the restart of a container): then it goes, if nothing works in the folder.
 */
async function clearReusedPid(data: string, socketDir: string): Promise<void> {
  const lock = await lockFile(data);
  if (lock === undefined || !(await isAlive(lock.pid))) return;
  const survivors = await processesIn(await realpath(data));
  if (survivors === undefined || survivors.length > 0) return;
  await unlink(join(data, "postmaster.pid"));
  await rm(join(socketDir, `.s.PGSQL.${lock.port}.lock`), { force: true });
}

const quoted = (value: string): string => `'${value.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;

function configuration(of: {
  port: number | "socket-only";
  socketDir: string;
  settings: PostgresOptions["settings"];
}): string {
  const settings: Record<string, string> = {
    listen_addresses: of.port === "socket-only" ? "" : "127.0.0.1",
    port: String(of.port === "socket-only" ? socketPort : of.port),
    unix_socket_directories: of.socketDir,
    unix_socket_permissions: "0700",
    password_encryption: "scram-sha-256",
    // A failed ALTER ROLE … PASSWORD must not end up in the log with its text.
    log_min_error_statement: "panic",
    ...of.settings,
  };
  return Object.entries(settings)
    .map(([name, value]) => `${name} = ${quoted(value)}\n`)
    .join("");
}

async function formerPort(data: string): Promise<number | undefined> {
  const text = await readFile(join(data, "rekey.conf"), "utf8").catch(() => "");
  if (!/^listen_addresses = '127/m.test(text)) return undefined;
  const port = Number(/^port = '(\d+)'/m.exec(text)?.[1]);
  return port > 0 ? port : undefined;
}

async function configure(of: {
  data: string;
  socketDir: string;
  tcp: number | undefined;
  account: Account | undefined;
  options: PostgresOptions;
}): Promise<void> {
  const { data, account } = of;
  const write = async (name: string, text: string): Promise<void> => {
    const side = join(data, `.${name}-${randomBytes(4).toString("hex")}`);
    await writeFile(side, text, { mode: 0o600 });
    if (account !== undefined) await chown(side, account.uid, account.gid);
    await rename(side, join(data, name));
  };
  await write(
    "rekey.conf",
    configuration({ port: of.tcp ?? "socket-only", socketDir: of.socketDir, settings: of.options.settings }),
  );
  if (of.options.hba !== undefined) await write("pg_hba.conf", hbaText(of.options.hba));
  await mkdir(of.socketDir, { recursive: true, mode: 0o700 });
  await chmod(of.socketDir, 0o700);
}

const hbaText = (lines: readonly string[]): string => lines.map((line) => `${line}\n`).join("");

async function sameHba(data: string, hba: readonly string[] | undefined): Promise<boolean> {
  return hba === undefined || (await readFile(join(data, "pg_hba.conf"), "utf8").catch(() => "")) === hbaText(hba);
}

async function untilReady(data: string, pid: number, logFile: string): Promise<void> {
  const end = performance.now() + startLimitMs;
  for (;;) {
    const lock = await lockFile(data);
    if (lock?.pid === pid && lock.isReady) return;
    if (!(await isAlive(pid)))
      throw new Error(`PostgreSQL did not start. Its log ${logFile} ends with:\n${await tailOf(logFile)}`);
    if (performance.now() > end)
      throw new Error(`PostgreSQL (pid ${pid}) is not ready after ${startLimitMs / 1000} s. See ${logFile}.`);
    await sleep(20);
  }
}

async function stopServer(pid: number, data: string): Promise<void> {
  // SIGINT ends the sessions and writes everything out; SIGQUIT leaves the rest to recovery at the next start.
  for (const [signal, limitMs] of [
    ["SIGINT", 30_000],
    ["SIGQUIT", 10_000],
  ] as const) {
    if (!(await isProcessOf(pid, "postgres", data))) return;
    process.kill(pid, signal);
    if (await isGoneWithin(pid, limitMs)) return;
  }
  throw new Error(`PostgreSQL (pid ${pid}) does not stop. Its folder is ${data}.`);
}

async function running(of: {
  pid: number;
  place: string;
  data: string;
  socketDir: string;
  superuser: string;
  database: string;
  tcp: number | undefined;
  password: string | undefined;
  logFile: string;
}): Promise<RunningPostgres> {
  const unwatch = watchLog(of.logFile);
  const data = await realpath(of.data);
  const login =
    encodeURIComponent(of.superuser) + (of.password === undefined ? "" : `:${encodeURIComponent(of.password)}`);
  const url =
    of.tcp === undefined
      ? `postgresql://${login}@/${of.database}?host=${encodeURIComponent(of.socketDir)}&port=${socketPort}`
      : `postgresql://${login}@127.0.0.1:${of.tcp}/${of.database}`;
  return {
    socketDir: of.socketDir,
    port: of.tcp,
    url,
    pid: of.pid,
    async stop() {
      unwatch();
      await stopServer(of.pid, data);
      await leaveSocketFolder(of.place, of.socketDir);
    },
  };
}
