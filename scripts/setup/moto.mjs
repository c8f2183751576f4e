// moto, the second server that stands in for AWS in tests: a Python environment of its own in the cache, with the
// packages that scripts/moto/ pins by their checksums.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fillOnce, moduleFolder, placeOf } from "./go-program.mjs";
import { mayGet } from "./places.mjs";
import { Missing, run, say, seconds, stopped } from "./run.mjs";

const requirements = join(moduleFolder("moto"), "requirements.txt");
const again = "then run 'npm run setup -- --servers' again.";

/** Returns the folder of the environment: `bin/python -m moto.server` starts it. */
export async function moto() {
  const python = pythonHere();
  if (python === undefined)
    throw new Missing(
      `moto runs on Python 3.10 or newer, which is not installed. Install python3 and python3-venv, ${again}`,
    );
  const pins = readFileSync(requirements, "utf8");
  const version = /^moto==(\S+)/m.exec(pins)[1];
  // An environment belongs to the Python that made it, and a pin that changes is another environment.
  const key = createHash("sha256").update(`${python}\n${pins}`).digest("hex").slice(0, 12);
  const place = placeOf("moto", `${version}-${key}`);
  if (existsSync(place)) return place;
  if (!mayGet) throw new Missing("There is no moto here. Run 'npm run setup -- --servers'.");
  const from = performance.now();
  say(`moto ${version}: a Python environment for it`);
  await fillOnce(place, fill);
  say(`moto ${version} ready after ${seconds(from)}`);
  return place;
}

/** Which Python it is, as one text; undefined when there is none that is new enough. */
function pythonHere() {
  const program = "import sys; assert sys.version_info >= (3, 10); print(sys.version, sys.base_prefix)";
  const { status, stdout } = spawnSync("python3", ["-c", program], { encoding: "utf8", timeout: 30_000 });
  return status === 0 ? stdout.trim() : undefined;
}

/** Only `bin/python` is used later: the other programs in there name the folder that the environment is made in. */
async function fill(side) {
  await attempt("python3", ["-m", "venv", side], `Install python3-venv, ${again}`);
  const options = ["--require-hashes", "--no-deps", "--disable-pip-version-check", "--no-input", "--quiet"];
  const install = ["-m", "pip", "install", ...options, "--requirement", requirements];
  await attempt(join(side, "bin", "python"), install, "Run it again to see why.");
}

async function attempt(program, args, advice) {
  await run(program, args, { note: "moto" }).catch((error) => {
    if (stopped.signal.aborted) throw error;
    throw new Missing(`moto could not be installed (${error.message.split("/").at(-1)}). ${advice}`);
  });
}
