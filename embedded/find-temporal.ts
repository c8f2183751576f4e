import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { join } from "node:path";

export interface TemporalSearch {
  /** The value of REKEY_TEMPORAL_BIN: taken as it is, or refused. */
  readonly chosen?: string | undefined;
  readonly log?: ((line: string) => void) | undefined;
  /** Ends a download or build that is under way. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The `temporal` program: the chosen one, else what `scripts/setup.mjs` finds (PATH, the cache) or gets (a download, a
 * build that takes minutes). Only the set-up knows the order, so it is asked each time; that costs a tenth of a second.
 */
export async function findTemporal(search: TemporalSearch = {}): Promise<string> {
  return (await chosenProgram(search.chosen)) ?? (await askSetup("--where", search));
}

/** The same without getting it; undefined when it is nowhere. */
export async function locateTemporal(search: TemporalSearch = {}): Promise<string | undefined> {
  return (await chosenProgram(search.chosen)) ?? (await askSetup("--where=found", search).catch(() => undefined));
}

async function chosenProgram(chosen: string | undefined): Promise<string | undefined> {
  if (chosen === undefined || chosen === "") return undefined;
  if (isProgram(chosen)) return chosen;
  throw new Error(`REKEY_TEMPORAL_BIN names ${chosen}, which is not a program. Correct it, or unset it.`);
}

function setupScript(): string {
  // Beside the sources, or two levels up from dist/embedded.
  for (const up of ["..", join("..", "..")]) {
    const script = join(import.meta.dirname, up, "scripts", "setup.mjs");
    if (existsSync(script)) return script;
  }
  throw new Error("scripts/setup.mjs is missing: this copy of rekey is incomplete. Install it again.");
}

function askSetup(question: string, { log, signal }: TemporalSearch): Promise<string> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(process.execPath, [setupScript(), "--only=temporal", question], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // a Ctrl-C in the terminal comes to us, and from us to it
    });
    const abort = () => child.kill("SIGTERM"); // it ends what it has started
    signal?.addEventListener("abort", abort, { once: true });
    let answer = "";
    let lastLine = "The set-up of Temporal failed.";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (answer += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      for (const line of text.split("\n").map((each) => each.replace(/^setup: /, "").trim())) {
        if (line === "") continue;
        lastLine = line;
        log?.(line);
      }
    });
    child.once("error", reject);
    child.once("close", (code) => {
      signal?.removeEventListener("abort", abort);
      const path = answer.trim();
      if (code === 0 && path !== "") resolve(path);
      else reject(new Error(lastLine));
    });
  });
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
