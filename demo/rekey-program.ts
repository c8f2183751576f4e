import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { tailOf } from "../embedded/bounded-log.ts";
import { openHome, removeHome, whoOwns } from "../embedded/home.ts";
import { isGoneWithin } from "../embedded/processes.ts";

/** The program `rekey` on a home of its own. */
export interface RekeyProgram {
  /** Holds the program `rekey`. */
  readonly folder: string;
  /** Runs one command to its end; gives what it printed, or throws with what it said instead. */
  run(args: readonly string[], input?: string): Promise<string>;
  /** Runs one command and hands on each line of its output, until it ends or `isEnough` says so. */
  follow(args: readonly string[], isEnough: (line: string) => boolean): Promise<void>;
  /** Starts `rekey up` and waits until its API answers. */
  up(): Promise<RunningRekey>;
}

export interface RunningRekey {
  readonly address: string;
  readonly pid: number;
  /** Stops everything that `up` started and removes the home. */
  stop(): Promise<void>;
}

export interface ProgramOptions {
  readonly home: string;
  /** Folders that the worker may write below. */
  readonly fileRoots: readonly string[];
  readonly port: number;
  /** Where `up` writes what it prints. */
  readonly logFile: string;
  /** Ends commands that run. */
  readonly signal: AbortSignal;
}

const startLimitMs = 90_000;
const stopLimitMs = 60_000;

export function findProgram(options: ProgramOptions): RekeyProgram {
  const bin = programFile();
  // Empty counts as absent: the demonstration must not reach into servers that the user's own settings name.
  const settings = {
    DATABASE_URL: "",
    DATABASE_URL_FILE: "",
    TEMPORAL_ADDRESS: "",
    REKEY_ADDRESS: "",
    REKEY_TOKEN_FILE: "",
    REKEY_HOME: options.home,
    REKEY_PORT: String(options.port),
    REKEY_FILE_ROOTS: options.fileRoots.join(":"),
  };

  const runLines = async (args: readonly string[], input: string | undefined, onLine: (line: string) => boolean) => {
    const child = spawn(process.execPath, [bin, ...args], {
      env: { ...process.env, ...settings },
      detached: true, // a Ctrl-C in the terminal is ours to act on
      stdio: ["pipe", "pipe", "pipe"],
    });
    const kill = (): void => void child.kill("SIGTERM");
    options.signal.addEventListener("abort", kill, { once: true });
    let isStopped = false;
    let rest = "";
    let complaint = "";
    child.stdin.on("error", () => undefined);
    child.stdin.end(input ?? "");
    child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint = (complaint + text).slice(-4000)));
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (isStopped || !onLine(line)) continue;
        isStopped = true;
        kill();
      }
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once("error", reject);
      child.once("close", resolve);
    }).finally(() => options.signal.removeEventListener("abort", kill));
    options.signal.throwIfAborted();
    if (rest !== "") onLine(rest);
    if (code !== 0 && !isStopped)
      throw new Error(`'rekey ${args.join(" ")}' ended with ${code ?? "a signal"}: ${complaint.trim()}`);
  };

  return {
    folder: dirname(bin),
    async run(args, input) {
      const lines: string[] = [];
      await runLines(args, input, (line) => {
        lines.push(line);
        return false;
      });
      return lines.join("\n");
    },
    follow: (args, isEnough) => runLines(args, undefined, isEnough),
    async up() {
      const out = await open(options.logFile, "a", 0o600);
      const child = spawn(process.execPath, [bin, "up"], {
        env: { ...process.env, ...settings },
        detached: true,
        stdio: ["ignore", out.fd, out.fd],
      });
      let ended: string | undefined;
      child.once("error", (error) => (ended = error.message));
      child.once("close", (code, signal) => (ended = `ended with ${code ?? signal}`));
      await out.close();
      const home = await openHome(options.home);
      const pid = child.pid ?? -1;
      const stop = async (): Promise<void> => {
        if (ended === undefined) child.kill("SIGTERM");
        if (pid > 0 && !(await isGoneWithin(pid, stopLimitMs)))
          throw new Error(`'rekey up' (pid ${pid}) does not stop. Its home is ${home.folder}.`);
        await removeHome(home);
      };
      const limit = performance.now() + startLimitMs;
      for (;;) {
        const address = (await whoOwns(home))?.address;
        if (address !== undefined) return { address, pid, stop };
        if (ended !== undefined || options.signal.aborted || performance.now() > limit) {
          const said = await tailOf(options.logFile);
          await stop();
          options.signal.throwIfAborted();
          throw new Error(`'rekey up' did not start (${ended ?? "it does not answer"}). It said:\n${said}`);
        }
        await sleep(50);
      }
    },
  };
}

/** `bin/rekey` above this folder, be it the sources or the build of a package. */
function programFile(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const file = join(at, "bin", "rekey");
    if (existsSync(file)) return file;
    if (at === dirname(at)) throw new Error("The program bin/rekey is not there. Install rekey again.");
  }
}
