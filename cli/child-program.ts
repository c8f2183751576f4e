import { fork, type ChildProcess, type StdioOptions } from "node:child_process";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { CliError, exitCodeFor } from "./cli-error.ts";

export interface ChildProgram<Ready> {
  readonly process: ChildProcess;
  /** What it says when it is ready; rejects with what it says instead. */
  readonly ready: Promise<Ready>;
  /** Its exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  send(message: object): void;
  /** Asks it to end, and waits until it has; kills it when it takes longer than that. */
  stop(limitMs?: number): Promise<void>;
}

export interface ChildOptions {
  /** From the root, without its ending: `api/program`. */
  readonly program: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Where its log goes: an open file, or our own standard error. */
  readonly log?: number | "inherit";
  readonly onLog?: (line: string) => void;
}

interface Failed {
  readonly code?: string;
  readonly title?: string;
  readonly detail: string;
  readonly next?: string;
}

type Message<Ready> = { readonly ready?: Ready; readonly failed?: Failed; readonly log?: string };

/** Starts another of our programs: from the sources, or from the build beside our own. */
export function startProgram<Ready>({
  program,
  args = [],
  env = {},
  log = "inherit",
  onLog,
}: ChildOptions): ChildProgram<Ready> {
  const file = fileURLToPath(new URL(`../${program}${extname(import.meta.url)}`, import.meta.url));
  const stdio: StdioOptions = ["ignore", log, log, "ipc"];
  const child = fork(file, [...args], { env: { ...process.env, ...env }, stdio });
  const ended = new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(1));
    child.once("exit", (code) => resolve(code));
  });
  const ready = new Promise<Ready>((resolve, reject) => {
    child.on("message", (message) => {
      const { ready: found, failed, log: line } = message as Message<Ready>;
      if (line !== undefined) onLog?.(line);
      if (found !== undefined) resolve(found);
      if (failed !== undefined) reject(asError(failed));
    });
    void ended.then((code) =>
      reject(new CliError(`${program} ended before it was ready (${code ?? "a signal"})`, "Look at its log.")),
    );
  });
  ready.catch(() => undefined);
  return {
    process: child,
    ready,
    ended,
    send: (message) => void (child.connected && child.send(message)),
    async stop(limitMs = 30_000) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), limitMs);
      await ended.finally(() => clearTimeout(timer));
    },
  };
}

function asError({ code, title, detail, next = "" }: Failed): CliError {
  const text = title === undefined ? detail : `${title}. ${detail}`;
  return code === undefined ? new CliError(text, next) : new CliError(text, next, exitCodeFor(code), code);
}
