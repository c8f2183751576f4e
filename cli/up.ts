import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startProgram, type ChildOptions, type ChildProgram } from "./child-program.ts";
import { CliError } from "./cli-error.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import { fileRootsText } from "./file-roots.ts";
import type { Io } from "./io.ts";
import { openLogFile } from "./log-file.ts";
import { warnOfFailpoint } from "./failpoint.ts";

interface Servers {
  readonly databaseUrl: string;
  readonly temporalAddress: string;
}

interface Api {
  readonly address: string;
  readonly tokenFile: string;
}

/**
 * `rekey up`: the servers that no setting names, the API and a worker, each a process of its own under this one, so that
 * one can crash alone. The worker and the API are started again; without the servers everything ends.
 */
export async function up(io: Io): Promise<ExitCode> {
  warnOfFailpoint(io);
  const ending = new AbortController();
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const end = () => ending.abort();
  for (const signal of signals) process.on(signal, end);
  const stops: (() => Promise<void>)[] = [];
  try {
    await bringUp(io, stops, ending);
    await aborted(ending.signal);
    return exitCodes.done;
  } catch (error) {
    if (ending.signal.aborted && !(ending.signal.reason instanceof CliError)) return exitCodes.done;
    throw ending.signal.reason instanceof CliError ? ending.signal.reason : error;
  } finally {
    // What could not start has said why.
    if (ending.signal.aborted) io.say("", "Stopping.");
    // Last started, first stopped: nobody loses what it stands on.
    for (const stop of stops.toReversed()) await stop();
    for (const signal of signals) process.removeListener(signal, end);
  }
}

async function bringUp(io: Io, stops: (() => Promise<void>)[], ending: AbortController): Promise<void> {
  const { settings } = io;
  const began = performance.now();
  const servers = startProgram<Servers>({
    program: "embedded/program",
    onLog: (line) => process.stderr.write(`  ${line}\n`),
  });
  stops.push(() => servers.stop(60_000));
  servers.send({
    start: {
      home: settings.home,
      databaseUrl: settings.databaseUrl,
      temporalAddress: settings.temporal.address,
      temporalBinary: settings.temporal.binary,
      apiPort: settings.port,
    },
  });
  const { databaseUrl, temporalAddress } = await unlessEnding(servers.ready, ending.signal);
  void servers.ended.then(() =>
    ending.abort(new CliError("A server that rekey runs on has ended", `Look at ${join(settings.home, "logs")}.`)),
  );
  const env = {
    // The embedded ledger's URL holds no password. Another one stays where the user keeps it, perhaps in a file.
    ...(settings.databaseUrl === undefined ? { DATABASE_URL_FILE: "", DATABASE_URL: databaseUrl } : {}),
    TEMPORAL_ADDRESS: temporalAddress,
    REKEY_HOME: settings.home,
  };

  const apiLog = openLogFile(settings.home, "api");
  const api = keepUp<Api>({ program: "api/program", args: ["up"], env, log: apiLog }, ending);
  stops.push(() => api.stop());
  const { address, tokenFile } = await unlessEnding(api.first, ending.signal);
  servers.send({ announce: address });
  const workerLog = openLogFile(settings.home, "worker");
  const worker = keepUp<object>({ program: "worker/program", args: ["worker"], env, log: workerLog }, ending);
  stops.push(() => worker.stop());
  await unlessEnding(worker.first, ending.signal);

  io.give({ address, home: settings.home, tokenFile, pid: process.pid });
  io.say(
    `rekey is up after ${((performance.now() - began) / 1_000).toFixed(1)} s.`,
    `  Address  ${address}`,
    `  Home     ${settings.home}`,
    `  Token    ${tokenFile}`,
    `  Ledger   ${settings.databaseUrl === undefined ? "embedded" : "the one DATABASE_URL names"}`,
    `  Temporal ${settings.temporal.address === undefined ? `embedded, ${temporalAddress}` : temporalAddress}`,
    `  Files    ${fileRootsText(settings.fileRoots)}`,
    "  Ctrl-C stops everything.",
  );
}

interface Kept<Ready> {
  readonly first: Promise<Ready>;
  stop(): Promise<void>;
}

const longestPauseMs = 30_000;

/** Runs a program and starts it again when it ends by itself. Not before it was ready once: then it says what is wrong. */
function keepUp<Ready>(options: ChildOptions, ending: AbortController): Kept<Ready> {
  let child: ChildProgram<Ready> = startProgram<Ready>(options);
  const { ready: first } = child;
  let pauseMs = 250;
  const watchOver = async (): Promise<void> => {
    await first;
    for (;;) {
      const startedAt = performance.now();
      await child.ended;
      if (ending.signal.aborted) return;
      pauseMs = performance.now() - startedAt > 60_000 ? 250 : Math.min(pauseMs * 2, longestPauseMs);
      await sleep(pauseMs, undefined, { signal: ending.signal });
      child = startProgram<Ready>(options);
    }
  };
  watchOver().catch(() => undefined);
  return { first, stop: () => child.stop() };
}

/** Ends the wait when everything has to stop. */
async function unlessEnding<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return Promise.race([
    work,
    aborted(signal).then((): never => {
      throw new Error("stopped");
    }),
  ]);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
