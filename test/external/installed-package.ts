import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, symlink } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { promisify } from "node:util";

const tree = join(import.meta.dirname, "..", "..");
const execute = promisify(execFile);

/** What deploy/Dockerfile runs, in this order; a test compares. */
export const packCommand = ["npm", "pack", "--silent", "--pack-destination"] as const;
export const installCommand = ["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"] as const;

/**
 * Builds and packs a copy of the sources, so that nobody else who builds here gets in the way, and installs the package
 * into an empty folder with the dependencies of the lock file. Returns its program.
 */
export async function installPackage(folder: string): Promise<string> {
  const source = join(folder, "source");
  const left = (await readFile(join(tree, ".dockerignore"), "utf8")).split("\n").filter((line) => /^[^#]/.test(line));
  const isLeft = (path: string) =>
    left.some((line) => (line.startsWith("*") ? path.endsWith(line.slice(1)) : path === line));
  await cp(tree, source, { recursive: true, filter: (from) => !isLeft(relative(tree, from)) });
  // Installed already, for these very sources.
  await symlink(join(tree, "node_modules"), join(source, "node_modules"));
  const packages = join(folder, "package");
  await mkdir(packages);
  const [npm, ...pack] = packCommand;
  await execute(npm, [...pack, packages], { cwd: source });
  const tarball = (await readdir(packages)).find((name) => name.endsWith(".tgz"));
  if (tarball === undefined) throw new Error("npm packed nothing.");
  const installed = join(folder, "installed");
  await mkdir(join(installed), { recursive: true });
  for (const name of ["package.json", "package-lock.json"]) await cp(join(source, name), join(installed, name));
  const [, ...install] = installCommand;
  // What the set-up fetched lies in npm's own cache.
  await execute(npm, [...install, "--prefer-offline"], { cwd: installed });
  const own = join(installed, "node_modules", "rekey");
  await mkdir(own);
  await execute("tar", ["-xzf", join(packages, basename(tarball)), "-C", own, "--strip-components=1"]);
  const program = join(own, "bin", "rekey");
  if (!existsSync(program)) throw new Error("The package has no program.");
  return program;
}
