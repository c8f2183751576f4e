import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join } from "node:path";

export interface TemporalSearch {
  /** The value of REKEY_TEMPORAL_BIN: taken as it is, or refused. */
  readonly chosen?: string | undefined;
  /** The value of PATH. */
  readonly path?: string | undefined;
  /** Where rekey keeps programs it fetched or built. Default `~/.cache/rekey`. */
  readonly cacheFolder?: string | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

/** The `temporal` program: the chosen one, PATH, the cache; else `scripts/setup.mjs` downloads or builds it. */
export async function findTemporal(search: TemporalSearch = {}): Promise<string> {
  if (search.chosen !== undefined && search.chosen !== "") {
    if (isProgram(search.chosen)) return search.chosen;
    throw new Error(`REKEY_TEMPORAL_BIN names ${search.chosen}, which is not a program.`);
  }
  for (const folder of (search.path ?? "").split(delimiter)) {
    const candidate = join(folder, "temporal");
    if (folder.startsWith("/") && isProgram(candidate)) return candidate;
  }
  const cacheFolder = search.cacheFolder ?? join(homedir(), ".cache", "rekey");
  const setup = setupScript();
  const cached = join(cacheFolder, temporalCacheKey(dirname(setup)), "temporal");
  if (isProgram(cached)) return cached;
  await runSetup(setup, cacheFolder, search.log ?? (() => undefined));
  if (isProgram(cached)) return cached;
  throw new Error(
    "The Temporal dev server could not be had. Install the Temporal CLI (https://docs.temporal.io/cli) or set REKEY_TEMPORAL_BIN.",
  );
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

function runSetup(script: string, cacheFolder: string, log: (line: string) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, "--only=temporal", `--cache=${cacheFolder}`], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-2000);
        for (const line of text.split("\n")) if (line.trim() !== "") log(line);
      });
    }
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve() : reject(new Error(said.trim().split("\n").at(-1) ?? "The set-up failed.")),
    );
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
