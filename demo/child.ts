import { spawn } from "node:child_process";
import { extname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { setTimeout as sleep } from "node:timers/promises";

/** One JSON line of a child's standard output. */
export interface ChildEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

export interface Child {
  readonly pid: number;
  /** The first event of this name, also one that has been said already; rejects when the child ends before. */
  until(event: string): Promise<ChildEvent>;
  /** Asks the child to end, and kills it after ten seconds. */
  stop(): Promise<void>;
}

const patienceMs = 10_000;

/**
 * Starts a program of this folder with an empty environment. In a group of its own, so that a Ctrl-C in the terminal
 * reaches us alone and we end everything in order; should we die, the end of its standard input ends it.
 */
export function startChild(name: string, args: readonly string[], onEvent?: (event: ChildEvent) => void): Child {
  const script = fileURLToPath(new URL(`./${name}${extname(import.meta.url)}`, import.meta.url));
  const child = spawn(process.execPath, [script, ...args], {
    detached: true,
    env: {},
    stdio: ["pipe", "pipe", "pipe"],
  });
  const said = new Map<string, ChildEvent>();
  const waiting = new Set<() => void>();
  let complaint = "";
  let isOver = false;

  const ended = new Promise<void>((resolve) => {
    const end = (): void => {
      isOver = true;
      for (const look of waiting) look();
      resolve();
    };
    child.once("error", end);
    child.once("close", end);
  });
  child.stdin.on("error", () => undefined);
  child.stderr.setEncoding("utf8").on("data", (text: string) => (complaint = (complaint + text).slice(-2000)));
  createInterface({ input: child.stdout }).on("line", (line) => {
    const event = parsed(line);
    if (event === undefined) return;
    if (!said.has(event.event)) said.set(event.event, event);
    onEvent?.(event);
    for (const look of waiting) look();
  });

  return {
    pid: child.pid ?? -1,
    until: (event) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = said.get(event);
          if (found === undefined && !isOver) return;
          waiting.delete(look);
          if (found === undefined) reject(new Error(`${name} ended before "${event}". It said: ${complaint.trim()}`));
          else resolve(found);
        };
        waiting.add(look);
        look();
      }),
    async stop() {
      if (isOver) return;
      child.kill("SIGTERM");
      const abort = new AbortController();
      const limit = sleep(patienceMs, undefined, { signal: abort.signal }).then(
        () => child.kill("SIGKILL"),
        () => undefined,
      );
      await ended;
      abort.abort();
      await limit;
    },
  };
}

function parsed(line: string): ChildEvent | undefined {
  try {
    const found: unknown = JSON.parse(line);
    if (typeof found === "object" && found !== null && "event" in found && typeof found.event === "string")
      return found as ChildEvent;
  } catch {
    // Not ours.
  }
  return undefined;
}
