import { createHash } from "node:crypto";
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  realpath,
  rm,
  rmdir,
  stat,
  writeFile,
} from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, sep } from "node:path";
import { canEnter, type Account } from "./unprivileged.ts";

/** sun_path holds 108 bytes on Linux and 104 on macOS, the closing zero included. */
const longestSocketPath = process.platform === "linux" ? 107 : 103;

/**
 * Where the server's files go: the folder itself, unless we are root and the account that the server runs as cannot
 * get there (as below /root). Then a place of its own that both sides name: the folder keeps `moved-to`, the place `origin`.
 */
export async function placeFor(folder: string, account: Account | undefined): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const home = await realpath(folder);
  if (account === undefined) {
    await chmod(home, 0o700);
    return home;
  }
  if (await canEnter(home, account, false)) {
    await own(home, account);
    return home;
  }
  const temporary = await realpath(tmpdir());
  const isTemporary = home.startsWith(temporary + sep);
  const base = isTemporary ? join(temporary, "rekey-postgres") : "/var/lib/rekey-postgres";
  await mkdir(base, { recursive: true, mode: 0o711 });
  const { uid, mode } = await stat(base);
  if (uid !== 0 || (mode & 0o022) !== 0) throw new Error(`${base} must belong to root and be writable by nobody else.`);
  if (isTemporary) await sweep(base);
  const place = join(base, createHash("sha256").update(home).digest("hex").slice(0, 16));
  await mkdir(place, { recursive: true, mode: 0o700 });
  await writeFile(join(place, "origin"), home);
  await writeFile(join(home, "moved-to"), place);
  await own(place, account);
  return place;
}

async function own(path: string, account: Account): Promise<void> {
  await chown(path, account.uid, account.gid);
  await chmod(path, 0o700);
}

/** Forgets places of temporary folders that are gone, so that test runs do not fill the disk. Never done elsewhere. */
async function sweep(base: string): Promise<void> {
  for (const name of await readdir(base)) {
    const origin = await readFile(join(base, name, "origin"), "utf8").catch(() => undefined);
    if (origin === undefined || existsSync(origin) || existsSync(join(base, name, "data", "postmaster.pid"))) continue;
    await rm(join(base, name), { recursive: true, force: true });
  }
}

/** A private folder whose socket path fits the system's limit; a short one elsewhere is recorded in `socket-folder`. */
export async function socketFolder(place: string, port: number, account: Account | undefined): Promise<string> {
  const near = join(place, "socket");
  // Ports have at most five digits; the lock file is a plain file and does not count.
  if (Buffer.byteLength(join(near, `.s.PGSQL.${Math.max(port, 10_000)}`)) <= longestSocketPath)
    return prepared(near, account);
  const record = join(place, "socket-folder");
  const recorded = await readFile(record, "utf8").catch(() => undefined);
  const owner = account?.uid ?? process.getuid?.();
  if (recorded !== undefined) {
    const found = await stat(recorded).catch(() => undefined);
    if (found?.isDirectory() === true && found.uid === owner && (found.mode & 0o077) === 0) return recorded;
    if (found === undefined && (await madeAgain(recorded, account))) return recorded;
  }
  const fresh = await prepared(await mkdtemp(join(tmpdir(), "rk-")), account);
  await writeFile(record, fresh, { mode: 0o600 });
  return fresh;
}

/** A folder that another made in between is not ours: then it stays unused. */
async function madeAgain(path: string, account: Account | undefined): Promise<boolean> {
  try {
    await mkdir(path, { mode: 0o700 });
    if (account !== undefined) await chown(path, account.uid, account.gid);
    return true;
  } catch {
    return false;
  }
}

/** Removes a short socket folder that a stopped server leaves empty; the record of its name stays for the next start. */
export async function leaveSocketFolder(place: string, path: string): Promise<void> {
  if (dirname(path) !== place) await rmdir(path).catch(() => undefined);
}

async function prepared(path: string, account: Account | undefined): Promise<string> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o700);
  if (account !== undefined) await chown(path, account.uid, account.gid);
  return path;
}
