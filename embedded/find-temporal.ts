import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";

export interface TemporalSearch {
  /** The value of REKEY_TEMPORAL_BIN: taken as it is, or refused. */
  readonly chosen?: string | undefined;
  /** The value of PATH. */
  readonly path?: string | undefined;
  /** The value of XDG_CACHE_HOME, where the set-up keeps programs it fetched or built. Default `~/.cache`. */
  readonly cacheHome?: string | undefined;
  readonly log?: ((line: string) => void) | undefined;
  /** Ends a download or build that is under way. */
  readonly signal?: AbortSignal | undefined;
}

/** The `temporal` program: the chosen one, PATH, the cache; else `scripts/setup.mjs` downloads or builds it. */
export async function findTemporal(search: TemporalSearch = {}): Promise<string> {
  const found = locateTemporal(search);
  if (found !== undefined) return found;
  await runSetup(search);
  const made = locateTemporal(search);
  if (made !== undefined) return made;
  throw new Error(
    "The Temporal dev server could not be had. Install the Temporal CLI (https://docs.temporal.io/cli) or set REKEY_TEMPORAL_BIN.",
  );
}

/** The same without getting it; undefined when it is nowhere. */
export function locateTemporal(search: TemporalSearch = {}): string | undefined {
  if (search.chosen !== undefined && search.chosen !== "") {
    if (isProgram(search.chosen)) return search.chosen;
    throw new Error(`REKEY_TEMPORAL_BIN names ${search.chosen}, which is not a program. Correct it, or unset it.`);
  }
  for (const folder of (search.path ?? "").split(delimiter)) {
    const candidate = join(folder, "temporal");
    if (folder.startsWith("/") && isProgram(candidate)) return candidate;
  }
  const cached = join(cacheFolder(search), temporalCacheKey(dirname(setupScript())), "temporal");
  return isProgram(cached) ? cached : undefined;
}

function cacheFolder({ cacheHome }: TemporalSearch): string {
  const base = cacheHome === undefined || cacheHome === "" ? join(homedir(), ".cache") : cacheHome;
  return join(base, "rekey");
}

/** The one place that pins the version is the module that builds it. */
function temporalCacheKey(scripts: string): string {
  const version = /github\.com\/temporalio\/cli v([\w.+-]+)/.exec(
    readFileSync(join(scripts, "temporal", "go.mod"), "utf8"),
  )?.[1];
  if (version === undefined) throw new Error("scripts/temporal/go.mod names no version of github.com/temporalio/cli.");
  return `temporal-${version}-${process.platform}-${process.arch}`;
}

function setupScript(): string {
  // Beside the sources, or two levels up from dist/embedded.
  for (const up of ["..", join("..", "..")]) {
    const script = join(import.meta.dirname, up, "scripts", "setup.mjs");
    if (existsSync(script)) return script;
  }
  throw new Error("scripts/setup.mjs is missing: this copy of rekey is incomplete. Install it again.");
}

function runSetup(search: TemporalSearch): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [setupScript(), "--only=temporal", `--cache=${cacheFolder(search)}`], {
      stdio: ["ignore", "pipe", "pipe"],
      detached: true, // so that a whole build can be ended at once
    });
    const abort = () => child.pid !== undefined && process.kill(-child.pid, "SIGTERM");
    search.signal?.addEventListener("abort", abort, { once: true });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-2000);
        for (const line of text.split("\n")) if (line.trim() !== "") search.log?.(line.trim());
      });
    }
    child.once("error", reject);
    child.once("close", (code) => {
      search.signal?.removeEventListener("abort", abort);
      if (code === 0) resolve();
      else reject(new Error(said.trim().split("\n").at(-1) ?? "The set-up failed."));
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
