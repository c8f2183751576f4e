import { chmod, mkdir, readFile, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { tryLock } from "./owner-lock.ts";

/** Where everything of one embedded rekey lies. Paths only: who needs a file makes it, with mode 0600. */
export interface Home {
  readonly folder: string;
  readonly postgres: string;
  readonly temporal: string;
  readonly logs: string;
  readonly keys: {
    readonly folder: string;
    readonly custody: string;
    readonly fingerprint: string;
    readonly audit: string;
  };
  /** The first admin token. */
  readonly token: string;
  /** Held by the process that runs this home. */
  readonly lock: string;
  /** Who runs it, and at which address. */
  readonly record: string;
}

/** Who runs a home: `address` is known once its API answers; `startedAt` is ISO 8601. */
export interface HomeOwner {
  readonly pid: number;
  readonly startedAt: string;
  readonly address: string | undefined;
}

export interface OwnedHome {
  /** Tells others on this machine where the API answers. */
  announce(address: string): Promise<void>;
  /** Lets the next one in. May be repeated. */
  release(): Promise<void>;
}

const askedTries = 5;

/** Another process runs this home. */
export class HomeInUseError extends Error {
  override readonly name = "HomeInUseError";
  readonly code = "home_in_use";
  readonly next: string;
  readonly home: string;
  /** Undefined in the moment between another's start and its record. */
  readonly owner: HomeOwner | undefined;
  constructor(home: string, owner: HomeOwner | undefined) {
    const who = owner === undefined ? "another process" : `pid ${owner.pid} since ${owner.startedAt}`;
    const where = owner?.address === undefined ? "" : `, at ${owner.address}`;
    super(`rekey already runs in ${home} (${who}${where}).`);
    this.next = "Use that one, stop it, or choose another folder with --home.";
    this.home = home;
    this.owner = owner;
  }
}

/** Makes the folders (0700) and names the files. Default `~/.rekey`. Throws when others could write there. */
export async function openHome(folder: string = join(homedir(), ".rekey")): Promise<Home> {
  const wanted = resolve(folder);
  await mkdir(wanted, { recursive: true, mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`The folder ${wanted} cannot be made (${error.code}). Choose another with --home.`);
  });
  const home = await realpath(wanted);
  const { uid } = await stat(home);
  if (process.getuid !== undefined && uid !== process.getuid()) {
    throw new Error(`${home} belongs to another user. Run rekey as its owner, or choose another folder with --home.`);
  }
  const keys = join(home, "keys");
  const folders = { postgres: join(home, "postgres"), temporal: join(home, "temporal"), logs: join(home, "logs") };
  await chmod(home, 0o700);
  for (const inner of [...Object.values(folders), keys]) await mkdir(inner, { recursive: true, mode: 0o700 });
  await chmod(keys, 0o700);
  return {
    folder: home,
    ...folders,
    keys: {
      folder: keys,
      custody: join(keys, "custody.json"),
      fingerprint: join(keys, "fingerprint.json"),
      audit: join(keys, "audit.json"),
    },
    token: join(home, "token"),
    lock: join(home, "up.lock"),
    record: join(home, "up.json"),
  };
}

/** Takes the home for this process, until released or until the process is gone, however it ends. */
export async function ownHome(home: Home): Promise<OwnedHome> {
  let held = tryLock(home.lock);
  // Somebody who only asks who owns it holds it for less than a millisecond.
  for (let tries = 0; held === undefined && tries < askedTries; tries++) {
    await sleep(20);
    held = tryLock(home.lock);
  }
  if (held === undefined) throw new HomeInUseError(home.folder, await readOwner(home));
  const lock = held;
  await chmod(home.lock, 0o600);
  const mine = { pid: process.pid, startedAt: new Date().toISOString() };
  await writeOwner(home, { ...mine, address: undefined });
  let isOwned = true;
  return {
    announce: (address) => writeOwner(home, { ...mine, address }),
    async release() {
      if (isOwned) await rm(home.record, { force: true });
      isOwned = false;
      lock.release();
    },
  };
}

/** Who runs the home now; undefined when nobody does, whatever a dead one left behind. */
export async function whoOwns(home: Home): Promise<HomeOwner | undefined> {
  const held = tryLock(home.lock);
  held?.release();
  return held === undefined ? readOwner(home) : undefined;
}

async function readOwner(home: Home): Promise<HomeOwner | undefined> {
  try {
    const { pid, startedAt, address } = JSON.parse(await readFile(home.record, "utf8")) as Partial<HomeOwner>;
    return pid === undefined || startedAt === undefined ? undefined : { pid, startedAt, address };
  } catch {
    return undefined;
  }
}

async function writeOwner(home: Home, owner: HomeOwner): Promise<void> {
  await writeFile(`${home.record}.new`, JSON.stringify(owner), { mode: 0o600 });
  await rename(`${home.record}.new`, home.record);
}

/** Removes a home that nobody runs, with what its database server keeps elsewhere when rekey runs as root. */
export async function removeHome(home: Home): Promise<void> {
  const held = tryLock(home.lock);
  if (held === undefined) throw new HomeInUseError(home.folder, await readOwner(home));
  try {
    const elsewhere = await readFile(join(home.postgres, "moved-to"), "utf8").catch(() => undefined);
    const origin = elsewhere && (await readFile(join(elsewhere, "origin"), "utf8").catch(() => undefined));
    if (elsewhere && origin === home.postgres) await rm(elsewhere, { recursive: true, force: true });
    await rm(home.folder, { recursive: true, force: true });
  } finally {
    held.release();
  }
}
