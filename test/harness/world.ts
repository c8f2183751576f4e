import { randomBytes } from "node:crypto";
import { execFile, fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { setTimeout as pause } from "node:timers/promises";
import { bundleWorkflowCode } from "@temporalio/worker";
import { sql } from "kysely";
import { startPostgres } from "../../embedded/postgres.ts";
import { startTemporal } from "../../embedded/temporal.ts";
import { createFingerprints } from "../../custody/fingerprint.ts";
import { openKeyFile } from "../../custody/key-file.ts";
import { openSigningKeys } from "../../custody/signing-key-file.ts";
import type { Custody } from "../../custody/custody.ts";
import { openCustody } from "../../custody/open-custody.ts";
import { openLedger, type Ledger } from "../../ledger/database.ts";
import { migrate } from "../../ledger/migrate.ts";
import { createEgress } from "../../providers/contract/egress-client.ts";
import { readSettings } from "../../settings.ts";
import type { CustodyWitness } from "./custody/witness.ts";
import { startIssuerServer, releases, type IssuerServer } from "./postgres-issuer.ts";
import { temporalProgram } from "./temporal-program.ts";

/** Everything that a rotation needs, real: a ledger, a Temporal, an issuer of its own, keys, and a worker that can die. */
export interface World {
  readonly ledger: Ledger;
  /** For who looks at the ledger with nothing of ours. */
  readonly ledgerUrl: string;
  /** As API and workers have it. */
  readonly custody: Custody;
  /** Places of custody outside the ledger that the environment names, as others see them. */
  readonly elsewhere: readonly CustodyWitness[];
  readonly issuer: IssuerServer;
  readonly folder: string;
  readonly temporalAddress: string;
  /** What workers wrote to standard output and error so far. */
  workerOutput(): string;
  startWorker(environment?: Readonly<Record<string, string>>): Promise<WorkerProcess>;
  /** A worker that has loaded all it needs and takes no work before it is told to start. */
  prepareWorker(): PreparedWorker;
  /** The ledger's PostgreSQL and Temporal, for tests that kill them. */
  readonly servers: { readonly ledger: Crashable; readonly temporal: Crashable };
  close(): Promise<void>;
}

export interface WorkerProcess {
  readonly pid: number;
  /** Resolves with the signal or code that ended it. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** Arms a failpoint while the worker runs; resolves when it is armed. */
  arm(failpoint: string): Promise<void>;
}

export interface Crashable {
  /** SIGKILL, to every process of the server. */
  kill(): Promise<void>;
  /** Again on the same data and at the same address. */
  restart(): Promise<void>;
}

export interface PreparedWorker {
  start(): Promise<WorkerProcess>;
}

export interface WorldOptions {
  /** What every worker gets besides. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly elsewhere?: readonly CustodyWitness[];
  /** Of the issuer's server. */
  readonly issuer?: Readonly<Record<string, string>>;
}

const run = promisify(execFile);
const script = fileURLToPath(new URL("worker-process.ts", import.meta.url));
const workflow = (name: string): string => fileURLToPath(new URL(`../../workflows/${name}`, import.meta.url));

export async function openWorld(options: WorldOptions = {}): Promise<World> {
  const { environment: common = {}, elsewhere = [] } = options;
  const folder = await mkdtemp(join(tmpdir(), "rk-world-"));
  const startLedger = async () =>
    startPostgres({ folder: join(folder, "ledger"), port: "socket-only", database: "rekey" });
  const startOrchestrator = async () => startTemporal({ folder: join(folder, "temporal"), binary: temporalProgram });
  const [cluster, temporal, issuer, code] = await Promise.all([
    crashable(startLedger, ({ url }) => url),
    crashable(startOrchestrator, ({ address }) => address),
    startIssuerServer(releases[0] ?? { name: "PostgreSQL" }, options.issuer),
    workflowCode(),
  ]);
  await migrate(cluster.address);
  const ledger = openLedger(cluster.address, { applicationName: "rekey test" });
  const keys = join(folder, "keys");
  const targets = join(folder, "targets");
  for (const each of [keys, targets]) await mkdir(each, { mode: 0o700 });
  const custodyKeys = await openKeyFile(join(keys, "custody.json"), { create: true });
  createFingerprints(await openKeyFile(join(keys, "fingerprint.json"), { create: true }));
  await openSigningKeys(join(keys, "audit.json"), { create: true });
  const bundleFile = join(folder, "workflows.bundle.js");
  await writeFile(bundleFile, code);
  const running = new Set<WorkerProcess>();
  let output = "";

  function launch(environment: Readonly<Record<string, string>>, ...args: readonly string[]): ChildProcess {
    const child = fork(script, [bundleFile, ...args], {
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        PATH: process.env["PATH"],
        DATABASE_URL: cluster.address,
        TEMPORAL_ADDRESS: temporal.address,
        REKEY_HOME: folder,
        // Each worker would strip and compile the same sources anew, for seconds of processor time.
        NODE_COMPILE_CACHE: join(folder, "compiled"),
        REKEY_FILE_ROOTS: targets,
        ...common,
        ...environment,
      },
    });
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => (output += text));
    return child;
  }

  async function untilReady(child: ChildProcess, worker: WorkerProcess, mayDie: boolean): Promise<WorkerProcess> {
    const first = await Promise.race([once(child, "message").then(() => "ready"), worker.ended]);
    if (first !== "ready" && !mayDie) throw new Error(`The worker ended before it was ready (${first}):\n${output}`);
    return worker;
  }

  function watched(child: ChildProcess): WorkerProcess {
    const worker = asWorker(child);
    running.add(worker);
    void worker.ended.then(() => running.delete(worker));
    return worker;
  }

  return {
    ledger,
    ledgerUrl: cluster.address,
    custody: openCustody({ ...given(common), ledger, keys: custodyKeys }),
    elsewhere,
    issuer,
    folder,
    temporalAddress: temporal.address,
    servers: { ledger: cluster, temporal },
    workerOutput: () => output,
    async startWorker(environment = {}) {
      const child = launch(environment);
      return untilReady(child, watched(child), environment["REKEY_FAILPOINT"] !== undefined);
    },
    prepareWorker() {
      const child = launch({}, "prepared");
      const worker = watched(child);
      return {
        async start() {
          child.send("start");
          return untilReady(child, worker, false);
        },
      };
    },
    async close() {
      await Promise.all([...running].map(async (worker) => worker.stop()));
      await ledger.close();
      await Promise.all([cluster.stop(), temporal.stop(), issuer.stop()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What custody is opened with, of the environment that workers get. */
function given(environment: Readonly<Record<string, string>>) {
  const { custodies, egressLocalPorts } = readSettings(environment);
  const rules = { allowedLocalPorts: [...egressLocalPorts], ownPorts: [], log: nothing };
  return { places: custodies, fetch: createEgress(rules), log: nothing };
}

function asWorker(child: ChildProcess): WorkerProcess {
  const ended = once(child, "exit").then(([code, signal]) => String(signal ?? code));
  return {
    pid: child.pid ?? 0,
    ended,
    async stop() {
      child.kill("SIGTERM");
      const isEnded = await Promise.race([ended, pause(15_000, "late", { ref: false })]);
      if (isEnded === "late") child.kill("SIGKILL");
      await ended;
    },
    kill: (signal) => void child.kill(signal),
    async arm(failpoint) {
      const armed = once(child, "message");
      child.send({ failpoint });
      await armed;
    },
  };
}

interface Server {
  readonly pid: number;
  stop(): Promise<void>;
}

async function crashable<T extends Server>(start: () => Promise<T>, addressOf: (server: T) => string) {
  let server = await start();
  const address = addressOf(server);
  return {
    address,
    async kill() {
      const { pid } = server;
      const { stdout } = await run("ps", ["-o", "pid=", "--ppid", String(pid)]).catch(() => ({ stdout: "" }));
      for (const each of [pid, ...stdout.split("\n").map(Number)]) if (each > 1) killNow(each);
      while (isThere(pid)) await pause(20);
    },
    async restart() {
      server = await start();
      if (addressOf(server) !== address) throw new Error(`It came back elsewhere: ${addressOf(server)}`);
    },
    stop: async () => server.stop(),
  };
}

function killNow(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // gone by itself
  }
}

/** A zombie is gone too: it is ours to reap, and holds nothing. */
function isThere(pid: number): boolean {
  return !["", "Z", "X"].includes(stateOf(pid));
}

/** The kernel's letter for what the process does, "T" when it is stopped; empty when there is none. */
export function stateOf(pid: number): string {
  try {
    return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1] ?? "";
  } catch {
    return "";
  }
}

let bundled: Promise<string> | undefined;

/** Bundled once for all worlds of a process: it takes seconds. */
async function workflowCode(): Promise<string> {
  bundled ??= bundleWorkflowCode({
    workflowsPath: workflow("workflows.ts"),
    payloadConverterPath: workflow("payload-guard.ts"),
    logger: quiet,
  }).then(({ code }) => code);
  return bundled;
}

const nothing = (): void => undefined;
const quiet = { log: nothing, trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };

/** Asks the ledger until the answer is defined; the test's own time limit bounds it. */
export async function untilLedger<T>(ask: () => Promise<T | undefined>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    await pause(50);
  }
}

export interface RotationRow {
  readonly id: string;
  readonly phase: string;
  readonly direction: string;
  readonly outcome: string | null;
  readonly last_code: string | null;
  readonly hold: { readonly id: string; readonly code: string; readonly detail: string; readonly gaps: unknown } | null;
}

export async function readRotation({ ledger }: Pick<World, "ledger">, rotationId: string): Promise<RotationRow> {
  const { rows } = await sql<RotationRow>`
    SELECT r.id, r.phase, r.direction, r.outcome, r.last_code,
      (SELECT to_jsonb(h) FROM holds h WHERE h.rotation_id = r.id AND h.decided_at IS NULL) AS hold
    FROM rotations r WHERE r.id = ${rotationId}`.execute(ledger.db);
  const [row] = rows;
  if (row === undefined) throw new Error(`There is no rotation ${rotationId}.`);
  return row;
}

/** Waits until the rotation is closed; a hold ends the wait with an error that shows it. */
export async function untilClosed(world: World, rotationId: string): Promise<RotationRow> {
  return untilLedger(async () => {
    const row = await readRotation(world, rotationId);
    if (row.hold !== null) throw new Error(`The rotation holds in ${row.phase}: ${row.hold.code} ${row.hold.detail}`);
    return row.outcome === null ? undefined : row;
  });
}

export async function untilHeld(world: World, rotationId: string): Promise<NonNullable<RotationRow["hold"]>> {
  return untilLedger(async () => {
    const { hold, outcome } = await readRotation(world, rotationId);
    if (outcome !== null) throw new Error(`The rotation ended as ${outcome} and held for nobody.`);
    return hold ?? undefined;
  });
}

export const newMark = (): string => randomBytes(5).toString("hex");
