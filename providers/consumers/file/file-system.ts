import { closeSync, constants, fstatSync, openSync, readFileSync, renameSync, type Stats } from "node:fs";
import { access, lstat, open, readdir, rename, statfs, unlink } from "node:fs/promises";
import { PermanentError } from "../../../domain/errors.ts";

export interface Status {
  readonly kind: "file" | "folder" | "link" | "other";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** How many names it has. */
  readonly links: number;
}

export interface Ownership {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What the file consumer needs of a file system. A port, so that a full or read-only disk can be tested. */
export interface FileSystem {
  /** Who we are: the effective user id. */
  uid(): number;
  gid(): number;
  /** All groups that we may give a file to. */
  groups(): readonly number[];
  /** Follows no link; undefined when nothing is there. */
  status(path: string): Promise<Status | undefined>;
  /** Follows no link; undefined when nothing is there. */
  read(path: string): Promise<Buffer | undefined>;
  list(folder: string): Promise<readonly string[]>;
  /** Makes a new file, never opens an existing one, and returns when its bytes are on the disk. */
  stage(path: string, bytes: Buffer, ownership: Ownership): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /**
   * Renames a staged file over the target if the target still holds `expected` (undefined: is still absent). `gone` when
   * the staged file is not there any more. Comparing and renaming are as close as the system allows.
   */
  replace(staged: string, target: string, expected: Buffer | undefined): Promise<"replaced" | "changed" | "gone">;
  unlink(path: string): Promise<void>;
  /** Makes a rename in this folder durable. */
  syncFolder(folder: string): Promise<void>;
  /** Whether files can be made in this folder. */
  isWritable(folder: string): Promise<boolean>;
  /** Bytes that we may still write in this folder's file system; 0 also when it can take no more files. */
  room(folder: string): Promise<number>;
}

/** Bytes. */
export const largestFile = 1_048_576;

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

async function orUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

// Not blocking, because opening a named pipe would wait for its writer for ever.
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function assertReadable(found: Stats): void {
  if (!found.isFile()) throw new PermanentError("target_refused", "The path is not a plain file.");
  if (found.size > largestFile) throw new PermanentError("target_refused", "The file is larger than 1 MiB.");
}

function readNow(path: string): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, readFlags);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
  try {
    assertReadable(fstatSync(descriptor));
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function isSame(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}

export const nodeFileSystem: FileSystem = {
  uid: () => process.geteuid?.() ?? 0,
  gid: () => process.getegid?.() ?? 0,
  groups: () => process.getgroups?.() ?? [],
  async status(path) {
    const found = await orUndefined(lstat(path));
    if (found === undefined) return undefined;
    const kind = found.isFile() ? "file" : found.isDirectory() ? "folder" : found.isSymbolicLink() ? "link" : "other";
    return { kind, mode: found.mode & 0o7777, uid: found.uid, gid: found.gid, links: found.nlink };
  },
  async read(path) {
    const handle = await orUndefined(open(path, readFlags));
    if (handle === undefined) return undefined;
    try {
      assertReadable(await handle.stat());
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  },
  list: (folder) => readdir(folder),
  async stage(path, bytes, ownership) {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const handle = await open(path, flags, 0o600);
    try {
      const made = await handle.stat();
      if (made.uid !== ownership.uid || made.gid !== ownership.gid) await handle.chown(ownership.uid, ownership.gid);
      await handle.writeFile(bytes);
      // Last, because changing the owner or writing may clear bits.
      await handle.chmod(ownership.mode);
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  rename,
  // Without a pause of the event loop in between, so that only another process can come between.
  replace: async (staged, target, expected) => {
    if (!isSame(readNow(target), expected)) return "changed";
    try {
      renameSync(staged, target);
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return "gone";
      throw error;
    }
    return "replaced";
  },
  unlink,
  async syncFolder(folder) {
    const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
  async isWritable(folder) {
    try {
      await access(folder, constants.W_OK | constants.X_OK);
      return true;
    } catch {
      return false;
    }
  },
  async room(folder) {
    const found = await statfs(folder);
    // Some file systems count no files at all.
    if (found.files > 0 && found.ffree === 0) return 0;
    return found.bavail * found.bsize;
  },
};
