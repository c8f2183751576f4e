// The Temporal dev server, in this order: REKEY_TEMPORAL_BIN, PATH, the cache, the vendor's release, a build with Go.
import { createHash } from "node:crypto";
import { createWriteStream, existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { withLock } from "./lock.mjs";
import { cache, mayGet, root } from "./places.mjs";
import { Missing, run, say, seconds, stopped, works } from "./run.mjs";

const again = "then run 'node scripts/setup.mjs'";

/** Returns where the program lies. */
export async function temporal() {
  const chosen = process.env.REKEY_TEMPORAL_BIN;
  if (chosen) {
    if (works(chosen, ["--version"])) return chosen;
    throw new Missing(`REKEY_TEMPORAL_BIN names ${chosen}, which does not run. Correct it, or unset it.`);
  }
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder.startsWith("/"));
  const onPath = folders.map((folder) => join(folder, "temporal")).find((program) => existsSync(program));
  if (onPath !== undefined && works(onPath, ["--version"])) return onPath;
  const version = pinnedVersion();
  const key = `temporal-${version}-${process.platform}-${process.arch}`;
  const program = join(cache, key, "temporal");
  if (existsSync(program)) return program;
  if (!mayGet) throw new Missing("There is no Temporal server here. Run 'npm run setup' to get it.");
  await withLock(join(cache, "locks", key), async () => {
    if (!existsSync(program)) await fetchOrBuild(version, key, join(cache, key));
  });
  return program;
}

/** The one place that pins the version is the module that builds it. */
function pinnedVersion() {
  const text = readFileSync(join(root, "scripts", "temporal", "go.mod"), "utf8");
  return /github\.com\/temporalio\/cli v([\w.+-]+)/.exec(text)[1];
}

async function fetchOrBuild(version, key, place) {
  const from = performance.now();
  await mkdir(cache, { recursive: true });
  for (const name of await readdir(cache))
    // left by a set-up that was killed
    if (name.startsWith(`.${key}-`)) await rm(join(cache, name), { recursive: true, force: true });
  const side = await mkdtemp(join(cache, `.${key}-`));
  try {
    const reason = await download(version, side);
    if (reason !== undefined) await build(reason, side);
    if (!works(join(side, "temporal"), ["--version"]))
      throw new Missing(
        `The Temporal that was had does not run here. Set REKEY_TEMPORAL_BIN to one that does, ${again}.`,
      );
    await rename(side, place);
    say(`Temporal ${version} ready after ${seconds(from)}`);
  } finally {
    await rm(side, { recursive: true, force: true });
  }
}

/** The vendor's release, checked against the list of checksums beside it. Returns why not. */
async function download(version, side) {
  const arch = { x64: "amd64", arm64: "arm64" }[process.arch];
  if (arch === undefined) return "no release for this platform";
  const file = `temporal_cli_${version}_${process.platform}_${arch}.tar.gz`;
  const base = `https://github.com/temporalio/cli/releases/download/v${version}`;
  say(`Temporal ${version} (download)`);
  try {
    const sums = await get(`${base}/checksums.txt`, 10_000).then((answer) => answer.text());
    const line = sums.split("\n").find((text) => text.trim().endsWith(` ${file}`));
    if (line === undefined) return `the release lists no ${file}`;
    const archive = join(side, "archive.tar.gz");
    await pipeline(Readable.fromWeb((await get(`${base}/${file}`, 600_000)).body), createWriteStream(archive));
    const found = createHash("sha256").update(readFileSync(archive)).digest("hex");
    if (found !== line.trim().split(/\s+/)[0]) return "the download has a wrong checksum";
    await run("tar", ["-xzf", archive, "-C", side, "temporal"]);
    await rm(archive);
    return undefined;
  } catch (error) {
    if (stopped.signal.aborted) throw error;
    return `no download (${error.cause?.code ?? error.message})`;
  }
}

async function get(address, limitMs) {
  const signal = AbortSignal.any([AbortSignal.timeout(limitMs), stopped.signal]);
  const answer = await fetch(address, { signal });
  if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
  return answer;
}

async function build(reason, side) {
  const advice = `Install the Temporal CLI (https://docs.temporal.io/cli) or Go 1.26, or set REKEY_TEMPORAL_BIN; ${again}.`;
  if (!works("go", ["version"]))
    throw new Missing(`Temporal could not be had: ${reason}, and Go is not installed. ${advice}`);
  say(`Temporal: ${reason}; building it with Go, which takes about four minutes the first time`);
  const args = ["build", "-o", join(side, "temporal"), "github.com/temporalio/cli/cmd/temporal"];
  const env = { ...process.env, CGO_ENABLED: "0", GOWORK: "off" };
  await run("go", args, { cwd: join(root, "scripts", "temporal"), env, note: "building Temporal" }).catch((error) => {
    if (stopped.signal.aborted) throw error;
    throw new Missing(`Temporal could not be had: ${reason}, and the build failed (${error.message}). ${advice}`);
  });
}
