import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

const lockTimeoutMs = 5000;

/** Files as the program needs them. */
export const disk = {
  /** Undefined where there is none. */
  read(path) {
    try {
      return readFileSync(path, "utf8");
    } catch (error) {
      if (error.code === "ENOENT") return undefined;
      throw error;
    }
  },

  /** A reader sees the old text or the new one, whole, also after a crash of the host. Call it under the lock. */
  replace(path, text) {
    const staged = `${path}.staged`;
    rmSync(staged, { force: true });
    const file = openSync(staged, "wx", modeOf(path));
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(staged, path);
    const folder = openSync(dirname(path), "r");
    fsyncSync(folder);
    closeSync(folder);
  },

  append: (path, text) => appendFileSync(path, text, { mode: 0o600 }),

  checkWritable: (path) => accessSync(dirname(path), constants.W_OK),

  /** Waits for the lock and returns what releases it. SQLite's is the kernel's own: it ends with the process. */
  lock(path) {
    const lock = new DatabaseSync(`${path}.lock`, { timeout: lockTimeoutMs });
    lock.exec("BEGIN EXCLUSIVE");
    return () => lock.close();
  },
};

function modeOf(path) {
  try {
    return statSync(path).mode & 0o777;
  } catch {
    return 0o600;
  }
}
