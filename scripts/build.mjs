#!/usr/bin/env node
// Makes dist/ for the package, since Node strips no types under node_modules: strips them (tsc without checking, which is
// `npm run check`'s work), copies the other files a module reads, takes failpoints out, bundles the workflows, and then
// looks at what came out: every import is there, and nothing of this machine or of the tests is in it.
import { spawnSync } from "node:child_process";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { bundleWorkflows } from "./build/bundle-workflows.mjs";
import { faultsIn } from "./build/inspect.mjs";
import { isFailpointModule, withoutFailpoints } from "./build/failpoints.mjs";
import { filesBelow, publishedAssets, publishedSources } from "./build/published.mjs";
import { withLock } from "./setup/lock.mjs";
import { cache, root } from "./setup/places.mjs";
import { seconds } from "./setup/run.mjs";

const dist = join(root, "dist");
const began = performance.now();
const say = (text) => console.error(`build: ${text}`);

async function build() {
  await rm(dist, { recursive: true, force: true });
  await mkdir(dist);
  await writeFile(join(dist, "package.json"), '{ "type": "module" }\n');
  await stripTypes(await publishedSources());
  for (const asset of await publishedAssets()) {
    await mkdir(dirname(join(dist, asset)), { recursive: true });
    await cp(join(root, asset), join(dist, asset));
  }
  await takeFailpointsOut();
  const hasWorkflows = await bundleWorkflows(dist);
  const faults = await faultsIn(dist);
  for (const fault of faults) say(fault);
  if (faults.length > 0) process.exitCode = 1;
  else say(`dist is ready after ${seconds(began)}${hasWorkflows ? "" : ", without workflows: there are none"}`);
}

async function stripTypes(files) {
  const config = join(dist, "tsconfig.json");
  const compilerOptions = {
    noEmit: false,
    noCheck: true,
    rootDir: root,
    outDir: dist,
    rewriteRelativeImportExtensions: true,
    removeComments: true,
  };
  const text = { extends: "../tsconfig.json", compilerOptions, include: [], files: files.map((file) => `../${file}`) };
  await writeFile(config, JSON.stringify(text));
  const { status } = spawnSync(join(root, "node_modules", ".bin", "tsc"), ["-p", config], { stdio: ["ignore", 2, 2] });
  await rm(config);
  if (status !== 0) throw new Error("tsc could not strip the types.");
}

async function takeFailpointsOut() {
  for (const file of await filesBelow(dist)) {
    if (!file.endsWith(".js")) continue;
    const path = join(dist, file);
    if (isFailpointModule(file)) await rm(path);
    else {
      const text = await readFile(path, "utf8");
      const rest = withoutFailpoints(text);
      if (rest !== text) await writeFile(path, rest);
    }
  }
}

if (!existsSync(join(root, "node_modules"))) {
  say(`there are no packages in ${relative(process.cwd(), root) || "."}. Run 'npm run setup' first.`);
  process.exitCode = 1;
} else {
  const name = createHash("sha256").update(dist).digest("hex").slice(0, 16);
  await withLock(join(cache, "locks", name), build);
}
