import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";

export interface HeldLock {
  release(): void;
}

const busy = 5; // SQLITE_BUSY, https://sqlite.org/rescode.html

/**
 * A lock that belongs to this process until it releases it or dies, however it dies: the kernel lets go of it, so no
 * number in a file has to be judged stale. Node has no call for a file lock but SQLite's. Undefined: another holds it.
 */
export function tryLock(path: string): HeldLock | undefined {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(path);
    database.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if ((error as { errcode?: number }).errcode === busy) return undefined;
    throw new Error(
      `The lock file ${path} cannot be opened for writing. Use a folder of your own, or mend its owner.`,
      {
        cause: error,
      },
    );
  }
  const held = database;
  let isHeld = true;
  return {
    release() {
      if (isHeld) held.close();
      isHeld = false;
    },
  };
}

/** Waits for the lock; `problem` is the text of the error when another keeps it for longer than the limit. */
export async function lockWithin(path: string, limitMs: number, problem: string): Promise<HeldLock> {
  const end = performance.now() + limitMs;
  for (;;) {
    const held = tryLock(path);
    if (held !== undefined) return held;
    if (performance.now() > end) throw new Error(problem);
    await sleep(50);
  }
}
