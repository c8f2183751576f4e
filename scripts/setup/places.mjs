// Where things lie: this copy of rekey, the cache of programs, packages wherever npm put them.
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const isSetUp = process.argv[1]?.endsWith("setup.mjs");
const option = (name) =>
  isSetUp ? process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) : undefined;

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const only = option("only");
/** `--where` prints the path of what the one step has got; `--where=found` gets nothing. */
export const mayGet = option("where") !== "found";
export const isAsked = isSetUp && process.argv.some((arg) => /^--where(=found)?$/.test(arg));
/** Also what only the tests against other people's servers need. */
export const wantsServers = isSetUp && process.argv.includes("--servers");
export const cache = option("cache") ?? join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "rekey");

export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/** A package's folder, in our own node_modules or in one above when rekey itself is installed as a package. */
export function packageFolder(name) {
  for (let at = root; ; at = dirname(at)) {
    const folder = join(at, "node_modules", name);
    if (existsSync(join(folder, "package.json"))) return folder;
    if (at === dirname(at)) return undefined;
  }
}
