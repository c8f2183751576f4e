import { execFile } from "node:child_process";
import { readFile, readdir, readlink } from "node:fs/promises";
import { createServer } from "node:net";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/** True while the process runs. A zombie (dead, not yet reaped, which a container without an init keeps) is not alive. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
  }
  if (process.platform !== "linux") return true;
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat !== undefined && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
}

/** Waits until the process is gone; false when it outlives the time limit. */
export async function isGoneWithin(pid: number, limitMs: number): Promise<boolean> {
  const end = performance.now() + limitMs;
  while (await isAlive(pid)) {
    if (performance.now() > end) return false;
    await sleep(25);
  }
  return true;
}

/**
 * Whether this process is the program, started for this very folder or file. Process numbers are used again, so a
 * number read from a file proves nothing by itself. `mark` must be the working folder or occur in the arguments.
 */
export async function isProcessOf(pid: number, program: string, mark: string): Promise<boolean> {
  if (!(await isAlive(pid))) return false;
  if (process.platform !== "linux") {
    const { stdout } = await promisify(execFile)("ps", ["-ww", "-o", "command=", "-p", String(pid)]).catch(() => ({
      stdout: "",
    }));
    return stdout.includes(program) && stdout.includes(mark);
  }
  const executable = await readlink(`/proc/${pid}/exe`).catch(() => "");
  if (basename(executable.replace(/ \(deleted\)$/, "")) !== program) return false;
  if ((await readlink(`/proc/${pid}/cwd`).catch(() => "")) === mark) return true;
  const line = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return line.split("\0").includes(mark);
}

/** Pids of the processes whose working folder is this one; Linux only, elsewhere unknown. */
export async function processesIn(folder: string): Promise<number[] | undefined> {
  if (process.platform !== "linux") return undefined;
  const found: number[] = [];
  for (const name of await readdir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const cwd = await readlink(`/proc/${name}/cwd`).catch(() => undefined);
    if (cwd === folder) found.push(Number(name));
  }
  return found;
}

/** Whether this very process listens on the port of 127.0.0.1; Linux only, elsewhere unknown. */
export async function listensOn(pid: number, port: number): Promise<boolean | undefined> {
  if (process.platform !== "linux") return undefined;
  const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const inodes = new Set<string>();
  for (const line of (await readFile("/proc/net/tcp", "utf8")).split("\n")) {
    const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
    if (local === address && state === "0A" && inode !== undefined) inodes.add(`socket:[${inode}]`);
  }
  for (const file of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
    if (inodes.has(await readlink(`/proc/${pid}/fd/${file}`).catch(() => ""))) return true;
  }
  return false;
}

/** A port of 127.0.0.1 that was free a moment ago; whoever takes it must be ready to ask again. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new Error("The system gave no free port."));
      });
    });
  });
}
