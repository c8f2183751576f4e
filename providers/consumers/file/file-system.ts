import { constants } from "node:fs";
import { lstat, open, readdir, rename, unlink } from "node:fs/promises";
import { OperatorNeededError, PermanentError, RekeyError, TransientError } from "../../../domain/errors.ts";

export interface Status {
  readonly kind: "file" | "folder" | "link" | "other";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
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
  /** Follows no link; undefined when nothing is there. */
  status(path: string): Promise<Status | undefined>;
  /** Follows no link; undefined when nothing is there. */
  read(path: string): Promise<Buffer | undefined>;
  list(folder: string): Promise<readonly string[]>;
  /** Makes a new file, never opens an existing one, and returns when its bytes are on the disk. */
  stage(path: string, bytes: Buffer, ownership: Ownership): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Makes a rename in this folder durable. */
  syncFolder(folder: string): Promise<void>;
}

const largestFile = 1_048_576;

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

export const nodeFileSystem: FileSystem = {
  uid: () => process.geteuid?.() ?? 0,
  gid: () => process.getegid?.() ?? 0,
  async status(path) {
    const found = await orUndefined(lstat(path));
    if (found === undefined) return undefined;
    const kind = found.isFile() ? "file" : found.isDirectory() ? "folder" : found.isSymbolicLink() ? "link" : "other";
    return { kind, mode: found.mode & 0o7777, uid: found.uid, gid: found.gid };
  },
  async read(path) {
    // Not blocking, because opening a named pipe would wait for its writer for ever.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const handle = await orUndefined(open(path, flags));
    if (handle === undefined) return undefined;
    try {
      const found = await handle.stat();
      if (!found.isFile()) throw new PermanentError("target_refused", "The path is not a plain file.");
      if (found.size > largestFile) throw new PermanentError("target_refused", "The file is larger than 1 MiB.");
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
  unlink,
  async syncFolder(folder) {
    const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** Turns a system error into one of ours. Says the path's problem, never the foreign message or the content. */
export function asTargetError(error: unknown): RekeyError {
  if (error instanceof RekeyError) return error;
  switch (errnoOf(error)) {
    case "EROFS":
    case "EACCES":
      return new OperatorNeededError(
        "target_read_only",
        "The worker may not write the file's folder. Give its user the right, or mount the file system writable.",
      );
    case "EPERM":
      return new PermanentError(
        "target_refused",
        "The worker cannot keep the file's owner. Run it as that owner, or let the worker's user own the file.",
      );
    case "ENOSPC":
    case "EDQUOT":
      return new TransientError("target_full", "The file system or quota is full. Free some room.");
    case "ELOOP":
      return new PermanentError("target_refused", "The path is a link. Register the file that it points to.");
    case "ENOENT":
    case "ENOTDIR":
      return new OperatorNeededError(
        "target_unreachable",
        "The file's folder does not exist. Create it, for the worker's user only.",
      );
    default:
      return new TransientError("target_unreachable", "The file system refused the call.");
  }
}
