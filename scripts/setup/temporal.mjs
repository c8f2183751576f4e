// The Temporal dev server, in this order: REKEY_TEMPORAL_BIN, PATH, the cache, the vendor's release, a build with Go.
import { createHash } from "node:crypto";
import { createWriteStream, existsSync, readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { build, fillOnce, pinnedVersion, placeOf } from "./go-program.mjs";
import { mayGet } from "./places.mjs";
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
  const version = pinnedVersion("temporal", "github.com/temporalio/cli");
  const place = placeOf("temporal", version);
  const program = join(place, "temporal");
  if (existsSync(program)) return program;
  if (!mayGet) throw new Missing("There is no Temporal server here. Run 'npm run setup' to get it.");
  await fillOnce(place, (side) => fetchOrBuild(version, side));
  return program;
}

async function fetchOrBuild(version, side) {
  const from = performance.now();
  const reason = await download(version, side);
  if (reason !== undefined) await buildIt(reason, side);
  if (!works(join(side, "temporal"), ["--version"]))
    throw new Missing(
      `The Temporal that was had does not run here. Set REKEY_TEMPORAL_BIN to one that does, ${again}.`,
    );
  say(`Temporal ${version} ready after ${seconds(from)}`);
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

async function buildIt(reason, side) {
  const advice = `Install the Temporal CLI (https://docs.temporal.io/cli) or Go 1.26, or set REKEY_TEMPORAL_BIN; ${again}.`;
  if (!works("go", ["version"]))
    throw new Missing(`Temporal could not be had: ${reason}, and Go is not installed. ${advice}`);
  say(`Temporal: ${reason}; building it with Go, which takes about four minutes the first time`);
  await build("temporal", "github.com/temporalio/cli/cmd/temporal", join(side, "temporal"), {
    note: "building Temporal",
    failed: ({ message }) =>
      new Missing(`Temporal could not be had: ${reason}, and the build failed (${message}). ${advice}`),
  });
}
