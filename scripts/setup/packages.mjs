// The packages of the lock file, into node_modules of a source tree.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { isRunning, processMark, withLock } from "./lock.mjs";
import { cache, root } from "./places.mjs";
import { killGroup, Missing, run, say, seconds, stopped } from "./run.mjs";

const lockFile = join(root, "package-lock.json");
const modules = join(root, "node_modules");
const stampFile = join(modules, ".rekey-setup");
const digest = (text) => createHash("sha256").update(text).digest("hex");
const inCache = join(cache, "locks", digest(root).slice(0, 16));
/** Lies there while npm works, with its process: what it left half done must not be taken for packages. */
const unfinishedFile = `${inCache}.unfinished`;

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
  if (isRunning(mark)) killGroup(Number(mark.split(" ")[0]), "SIGKILL");
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
  const before = manifestText();
  const plain = ["install", "--no-save"];
  if (!isWhole(lockText)) await npm(plain);
  else {
    await npm(["ci"]).catch(async (error) => {
      if (stopped.signal.aborted) throw error;
      say("npm ci refused; trying npm install with the same lock file");
      await npm(plain);
    });
  }
  if (manifestText() !== before || readFileSync(lockFile, "utf8") !== lockText)
    throw new Missing("package.json or package-lock.json changed during the installation. Look at 'git diff'.");
  say(`packages ready after ${seconds(from)}`);
}

const manifestText = () => readFileSync(join(root, "package.json"), "utf8");

/** `npm ci` refuses a lock that lacks binaries of other platforms, as one made with a registry without them does. */
function isWhole(lockText) {
  const { packages: locked } = JSON.parse(lockText);
  const names = new Set(Object.keys(locked).map((path) => path.slice(path.lastIndexOf("node_modules/") + 13)));
  return Object.values(locked).every((one) =>
    Object.keys(one.optionalDependencies ?? {}).every((name) => names.has(name)),
  );
}

async function npm(command) {
  say(`packages (npm ${command[0]})`);
  await mkdir(dirname(unfinishedFile), { recursive: true });
  try {
    await run("npm", [...command, "--include=dev", "--no-audit", "--no-fund", "--loglevel=error"], {
      cwd: root,
      note: "packages",
      started: (pid) => writeFileSync(unfinishedFile, processMark(pid)),
    });
    await rm(unfinishedFile, { force: true });
  } catch (error) {
    if (stopped.signal.aborted) throw error;
    if (!error.isKilled) await rm(unfinishedFile, { force: true }); // npm has put back what was there
    const advice = `Run 'npm ${command.join(" ")}' in ${root} to see why.`;
    throw new Missing(`Packages could not be installed (${error.message}). ${advice}`);
  }
}
