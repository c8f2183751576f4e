// Programs that are had only once into the cache, by the version that a Go module of ours pins.
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { withLock } from "./lock.mjs";
import { cache, root } from "./places.mjs";
import { run, stopped } from "./run.mjs";

export const moduleFolder = (name) => join(root, "scripts", name);

/** The one place that pins a version is the module that builds it. */
export function pinnedVersion(name, path) {
  const text = readFileSync(join(moduleFolder(name), "go.mod"), "utf8");
  return new RegExp(`${path.replaceAll(".", "\\.")} v([\\w.+-]+)`).exec(text)[1];
}

/** Where a version lies, or will lie. */
export const placeOf = (name, version) => join(cache, `${name}-${version}-${process.platform}-${process.arch}`);

/** Fills the place at once or not at all, by one process only; `fill` gets a folder to put everything in. */
export async function fillOnce(place, fill) {
  const key = place.slice(cache.length + 1);
  await withLock(join(cache, "locks", key), async () => {
    if (existsSync(place)) return;
    await mkdir(cache, { recursive: true });
    for (const name of await readdir(cache))
      // left by a set-up that was killed
      if (name.startsWith(`.${key}-`)) await rm(join(cache, name), { recursive: true, force: true });
    const side = await mkdtemp(join(cache, `.${key}-`));
    try {
      await fill(side);
      await rename(side, place);
    } finally {
      await rm(side, { recursive: true, force: true });
    }
  });
}

/** Builds a program of one of our modules; `failed` makes the error that says what to do instead. */
export async function build(name, path, output, { note, failed }) {
  await goBuild(moduleFolder(name), path, output, note).catch((error) => {
    if (stopped.signal.aborted) throw error;
    throw failed(error);
  });
}

/** Builds a program of the module that lies in the folder. `tags`: of the parts that are left out or taken in. */
export function goBuild(cwd, path, output, note, tags = []) {
  const env = { ...process.env, CGO_ENABLED: "0", GOWORK: "off" };
  const chosen = tags.length > 0 ? [`-tags=${tags.join()}`] : [];
  return run("go", ["build", "-o", output, ...chosen, path], { cwd, env, note });
}
