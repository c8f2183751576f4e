// The Vault server that tests run against, built with Go. Its tag needs a module of its own that lies between two
// published ones: the nearer one is taken, by its checksum, and the two places where they differ are edited.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { promisify } from "node:util";
import { fillOnce, goBuild, moduleFolder, pinnedVersion, placeOf } from "./go-program.mjs";
import { mayGet } from "./places.mjs";
import { Missing, say, seconds, stopped, works } from "./run.mjs";

const sdk = {
  module: "github.com/hashicorp/vault/sdk@v0.21.0",
  sum: "h1:3gDqdKLhHY2ekmCEE9EeesoNpgsReq2bo/SpMqvBYdw=",
};

/** Returns the folder where the program lies. */
export async function vault() {
  const version = pinnedVersion("vault", "github.com/hashicorp/vault");
  const place = placeOf("vault", version);
  if (existsSync(place)) return place;
  if (!mayGet) throw new Missing("There is no Vault here. Run 'npm run setup -- --servers'.");
  if (!works("go", ["version"]))
    throw new Missing("Vault is built with Go, which is not installed. Install Go 1.26, then run it again.");
  const from = performance.now();
  say(`Vault ${version}: building it with Go, which takes about ten minutes the first time`);
  await fillOnce(place, async (side) => {
    const source = join(side, "source");
    try {
      await prepare(source);
      // Without the clouds' and databases' plugins, which no test needs and which are most of the build.
      await goBuild(source, "github.com/hashicorp/vault", join(side, "vault"), "building Vault", ["minimal"]);
    } catch (error) {
      if (stopped.signal.aborted) throw error;
      throw new Missing(`Vault could not be built (${error.message}). Run it again to see why.`);
    } finally {
      await rm(source, { recursive: true, force: true });
    }
  });
  say(`Vault ${version} ready after ${seconds(from)}`);
  return place;
}

async function prepare(source) {
  await mkdir(source);
  for (const name of ["go.mod", "go.sum"]) await cp(join(moduleFolder("vault"), name), join(source, name));
  const folder = join(source, "sdk");
  await copyWritable(await downloadSdk(source), folder);
  await edit(join(folder, "framework", "backend.go"), (text) =>
    text.replace(
      "ActivationFunc func(context.Context, *logical.Request, string) error",
      "ActivationFunc func(context.Context, *logical.Request) error",
    ),
  );
  await edit(join(folder, "helper", "keysutil", "lock_manager.go"), restoreReturnsItsName);
}

/** Modules lie read-only in Go's cache. */
async function copyWritable(from, to) {
  for (const entry of await readdir(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const copy = join(to, relative(from, path));
    await mkdir(dirname(copy), { recursive: true });
    await writeFile(copy, await readFile(path));
  }
}

async function downloadSdk(cwd) {
  const env = { ...process.env, GOFLAGS: "-mod=mod", GOWORK: "off" };
  const asked = await promisify(execFile)("go", ["mod", "download", "-json", sdk.module], { cwd, env });
  const { Dir, Sum } = JSON.parse(asked.stdout);
  if (Sum !== sdk.sum) throw new Error(`${sdk.module} has a wrong checksum`);
  return Dir;
}

/** An edit that finds nothing to change means that the module is another one. */
async function edit(path, change) {
  const before = await readFile(path, "utf8");
  const after = change(before);
  if (after === before) throw new Error(`${path} is not as expected`);
  await writeFile(path, after);
}

function restoreReturnsItsName(text) {
  const from = text.indexOf("func (lm *LockManager) RestorePolicy(");
  const to = text.indexOf("\n}\n", from);
  if (from < 0 || to < 0) return text;
  const changed = text
    .slice(from, to)
    .replace("force bool) error {", "force bool) (string, error) {")
    .replaceAll(/return (fmt\.|errwrap\.|err\b)/g, 'return "", $1')
    .replace("\treturn nil", "\treturn name, nil");
  return text.slice(0, from) + changed + text.slice(to);
}
