import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

interface ProcessLine {
  readonly pid: number;
  readonly parent: number;
  readonly words: readonly string[];
}

/**
 * Waits for the worker that `rekey up` runs as its child.
 * @param former a worker that is dead, or about to be, and not meant
 */
export async function workerOf(upPid: number, signal: AbortSignal, former?: number): Promise<number> {
  for (;;) {
    const found = (await processes()).find(
      ({ pid, parent, words }) => parent === upPid && pid !== former && words.includes("worker"),
    );
    if (found !== undefined) return found.pid;
    await sleep(50, undefined, { signal });
  }
}

async function processes(): Promise<readonly ProcessLine[]> {
  const pids = await readdir("/proc").catch(() => undefined);
  if (pids?.includes("self") !== true) return listed();
  const lines = await Promise.all(pids.filter((name) => /^\d+$/.test(name)).map(fromProc));
  return lines.filter((line) => line !== undefined);
}

/** https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html: the name in parentheses may hold anything. */
async function fromProc(pid: string): Promise<ProcessLine | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const [state, parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    if (state === "Z") return undefined;
    const words = (await readFile(`/proc/${pid}/cmdline`, "utf8")).split("\0");
    return { pid: Number(pid), parent: Number(parent), words };
  } catch {
    return undefined; // ended while we looked
  }
}

async function listed(): Promise<readonly ProcessLine[]> {
  const { stdout } = await promisify(execFile)("ps", ["-A", "-ww", "-o", "pid=,ppid=,command="]);
  return stdout.split("\n").map((line) => {
    const [pid, parent, ...words] = line.trim().split(/\s+/);
    return { pid: Number(pid), parent: Number(parent), words };
  });
}
