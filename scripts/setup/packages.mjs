// The packages of the lock file, into node_modules of a source tree.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isRunning, processMark, withLock } from "./lock.mjs";
import { cache, manifest, root } from "./places.mjs";
import { killGroup, Missing, run, say, seconds, stopped } from "./run.mjs";

const lockFile = join(root, "package-lock.json");
const modules = join(root, "node_modules");
const stampFile = join(modules, ".rekey-setup");
const digest = (text) => createHash("sha256").update(text).digest("hex");
const inCache = join(cache, "locks", digest(root).slice(0, 16));
/** Lies there while npm works, with its process: what it left half done must not be taken for packages. */
const unfinishedFile = `${inCache}.unfinished`;
const options = ["--include=dev", "--no-audit", "--no-fund", "--loglevel=error"];

export async function packages() {
  if (!existsSync(lockFile)) return; // installed as a package: npm has put everything in place
  const lockText = readFileSync(lockFile, "utf8");
  const stamp = digest(lockText);
  const isStamped = () => read(stampFile) === stamp && !existsSync(unfinishedFile);
  if (isStamped()) return;
  await withLock(inCache, async () => {
    if (isStamped()) return;
    await clearUnfinished();
    if (!packagesFit(lockText)) await install(lockText);
    await writeFile(stampFile, stamp);
  });
}

function read(path) {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** A killed set-up may have left npm at work; and npm, ended in the middle, leaves packages it takes for whole. */
async function clearUnfinished() {
  const mark = read(unfinishedFile);
  if (mark === undefined) return;
  if (mark !== "" && isRunning(mark)) killGroup(Number(mark.split(" ")[0]), "SIGKILL");
  say("the last set-up was interrupted: packages are installed afresh");
  await rm(modules, { recursive: true, force: true });
}

/** What lies in node_modules is what the lock file says; packages of other platforms may be absent. */
function packagesFit(lockText) {
  try {
    const wanted = JSON.parse(lockText).packages;
    const found = JSON.parse(readFileSync(join(modules, ".package-lock.json"), "utf8")).packages;
    return Object.entries(wanted).every(([path, { version, optional, devOptional, link }]) => {
      if (path === "" || link) return true;
      if (found[path] === undefined) return Boolean(optional || devOptional);
      return found[path].version === version && existsSync(join(root, path));
    });
  } catch {
    return false;
  }
}

async function install(lockText) {
  const from = performance.now();
  const before = [manifestText(), lockText];
  await mkdir(dirname(unfinishedFile), { recursive: true });
  writeFileSync(unfinishedFile, "");
  // `npm ci` refuses a lock that lacks the optional binaries of other platforms, as one from a registry without them does.
  const isWhole = Object.keys(manifest.optionalDependencies ?? {}).every(
    (name) => JSON.parse(lockText).packages[`node_modules/${name}`] !== undefined,
  );
  const command = isWhole ? ["ci", ...options] : ["install", "--no-save", ...options];
  say(`packages (npm ${command[0]})`);
  await npm(command).catch((error) => {
    if (stopped.signal.aborted) throw error;
    throw new Missing(
      `Packages could not be installed (${error.message}). Run 'npm ${command.slice(0, isWhole ? 1 : 2).join(" ")}' in ${root} to see why.`,
    );
  });
  await rm(unfinishedFile);
  if (manifestText() !== before[0] || readFileSync(lockFile, "utf8") !== before[1]) {
    throw new Missing("package.json or package-lock.json changed during the installation. Look at 'git diff'.");
  }
  say(`packages ready after ${seconds(from)}`);
}

const manifestText = () => readFileSync(join(root, "package.json"), "utf8");

const npm = (args) =>
  run("npm", args, {
    cwd: root,
    note: "packages",
    started: (pid) => writeFileSync(unfinishedFile, processMark(pid)),
  });
