import { basename, dirname } from "node:path";
import type { FileSystem, Ownership, Status } from "./file-system.ts";

/** For tests: one disk in memory, that several writers see, each through its own file system. */
interface Inode {
  bytes: Buffer;
  readonly ownership: Ownership;
}

export interface Renamed {
  readonly by: string;
  readonly to: string;
  readonly bytes: Buffer;
}

/** Called before each thing that happens on the disk. Whoever it holds up stands still there, as if stopped by signal. */
export type Gate = (call: string) => Promise<void>;

export interface Faults {
  /** Compares and renames in two steps, with room for others in between. */
  readonly isReplaceSplit?: boolean;
  readonly around?: (fs: FileSystem) => FileSystem;
}

function missing(): Error {
  return Object.assign(new Error("no such file"), { code: "ENOENT" });
}

export class SimulatedDisk {
  readonly names = new Map<string, Inode>();
  readonly renamed: Renamed[] = [];

  write(path: string, text: string): void {
    this.names.set(path, { bytes: Buffer.from(text), ownership: { mode: 0o600, uid: 1000, gid: 1000 } });
  }

  bytes(path: string): Buffer | undefined {
    return this.names.get(path)?.bytes;
  }

  text(path: string): string {
    return this.bytes(path)?.toString() ?? "";
  }

  isAs(path: string, expected: Buffer | undefined): boolean {
    const bytes = this.bytes(path);
    return bytes === undefined || expected === undefined ? bytes === expected : bytes.equals(expected);
  }

  move(by: string, from: string, to: string): void {
    const inode = this.names.get(from);
    if (inode === undefined) throw missing();
    this.names.delete(from);
    this.names.set(to, inode);
    this.renamed.push({ by, to, bytes: inode.bytes });
  }
}

const uid = 1000;
const owned = { uid, gid: uid, links: 1 };

function statusOn(disk: SimulatedDisk, path: string): Status | undefined {
  const inode = disk.names.get(path);
  if (inode !== undefined) return { kind: "file", links: 1, ...inode.ownership };
  const isFolder = path === "/" || [...disk.names.keys()].some((each) => each.startsWith(`${path}/`));
  return isFolder ? { kind: "folder", mode: 0o700, ...owned } : undefined;
}

/** The disk as one writer sees it. All that POSIX lets others see half done is two steps here. */
export function simulatedFileSystem(disk: SimulatedDisk, by: string, gate: Gate, faults: Faults = {}): FileSystem {
  const fs: FileSystem = {
    uid: () => uid,
    gid: () => uid,
    groups: () => [uid],
    status: async (path) => Promise.resolve(statusOn(disk, path)),
    read: async (path) => {
      await gate(`read ${basename(path)}`);
      return disk.bytes(path);
    },
    list: async (folder) => {
      // What is made while a folder is being listed may be seen or not; here the half that is listed first misses it.
      const seen: string[] = [];
      for (const half of [true, false]) {
        await gate("list");
        for (const path of disk.names.keys())
          if (dirname(path) === folder && path.endsWith(".turn") === half) seen.push(basename(path));
      }
      return seen;
    },
    stage: async (path, bytes, ownership) => {
      await gate(`make ${basename(path)}`);
      const inode: Inode = { bytes: Buffer.alloc(0), ownership };
      disk.names.set(path, inode);
      await gate(`fill ${basename(path)}`);
      inode.bytes = bytes;
    },
    rename: async (from, to) => {
      await gate(`rename ${basename(to)}`);
      disk.move(by, from, to);
    },
    replace: async (staged, target, expected) => {
      await gate(`compare ${basename(target)}`);
      if (!disk.isAs(target, expected)) return "changed";
      if (faults.isReplaceSplit === true) await gate(`replace ${basename(target)}`);
      if (!disk.names.has(staged)) return "gone";
      disk.move(by, staged, target);
      return "replaced";
    },
    unlink: async (path) => {
      await gate(`unlink ${basename(path)}`);
      if (!disk.names.delete(path)) throw missing();
    },
    syncFolder: async () => gate("sync"),
    isWritable: async () => Promise.resolve(true),
    room: async () => Promise.resolve(1e9),
  };
  return faults.around?.(fs) ?? fs;
}
