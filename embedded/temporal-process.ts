import { readFile, rename, writeFile } from "node:fs/promises";
import { isAlive, isGoneWithin, isProcessOf, processesIn } from "./processes.ts";

/** A running Temporal dev server. */
export interface TemporalProcess {
  readonly pid: number;
  readonly port: number;
  readonly uiPort: number | undefined;
}

/** What a former start wrote down; undefined when absent or torn by a crash. */
export async function readProcess(path: string): Promise<TemporalProcess | undefined> {
  try {
    const { pid, port, uiPort } = JSON.parse(await readFile(path, "utf8")) as Partial<TemporalProcess>;
    return pid === undefined || port === undefined ? undefined : { pid, port, uiPort };
  } catch {
    return undefined;
  }
}

export async function writeProcess(path: string, record: TemporalProcess): Promise<void> {
  await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/**
 * The server that works in this folder. A crash between its start and the record would hide it, and two servers on one
 * database file destroy it: so on Linux every process is looked at, elsewhere the recorded one.
 */
export async function findProcess(
  folder: string,
  record: TemporalProcess | undefined,
  program: string,
): Promise<TemporalProcess | undefined> {
  const pids = await processesIn(folder);
  if (pids === undefined) {
    const isOurs = record !== undefined && (await isProcessOf(record.pid, program, `--port ${record.port} `));
    return isOurs ? record : undefined;
  }
  for (const pid of pids) {
    const args = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (!args.includes("start-dev") || !(await isAlive(pid))) continue;
    const numberAfter = (flag: string): number | undefined =>
      args.includes(flag) ? Number(args[args.indexOf(flag) + 1]) : undefined;
    const port = numberAfter("--port");
    if (port !== undefined) return { pid, port, uiPort: numberAfter("--ui-port") };
  }
  return undefined;
}

export async function stopProcess(pid: number): Promise<void> {
  for (const [signal, limitMs] of [
    ["SIGINT", 15_000],
    ["SIGKILL", 5000],
  ] as const) {
    if (!(await isAlive(pid))) return;
    process.kill(pid, signal);
    process.kill(pid, "SIGCONT"); // one that was halted hears nothing otherwise
    if (await isGoneWithin(pid, limitMs)) return;
  }
  throw new Error(`The Temporal server (pid ${pid}) does not stop.`);
}
