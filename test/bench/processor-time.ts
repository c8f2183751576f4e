import { readdirSync, readFileSync } from "node:fs";

/** Clock ticks of the kernel in a second, as Linux has them everywhere. */
const ticks = 100;

interface Process {
  readonly parent: number;
  readonly seconds: number;
  readonly command: string;
}

/**
 * Seconds of processor time so far, by program, of all processes that this one started: unlike times by the clock they do not
 * depend on what else the machine does. Children that have ended count as their parent's.
 */
export function processorTime(): ReadonlyMap<string, number> {
  const all = new Map(readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? processOf(Number(name)) : [])));
  const sums = new Map<string, number>();
  for (const [pid, { seconds, command }] of all)
    if (isOurs(all, pid)) sums.set(command, (sums.get(command) ?? 0) + seconds);
  return sums;
}

function processOf(pid: number): readonly (readonly [number, Process])[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat
      .slice(stat.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number);
    const line = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ");
    const seconds = [11, 12, 13, 14].reduce((sum, at) => sum + (fields[at] ?? 0), 0) / ticks;
    return [[pid, { parent: fields[1] ?? 0, seconds, command: nameOf(pid, line) }]];
  } catch {
    return []; // it ended
  }
}

function nameOf(pid: number, line: string): string {
  if (pid === process.pid) return "this program";
  if (line.includes("worker-process")) return "worker";
  if (line.includes("temporal")) return "Temporal";
  return line.includes("ledger") || line.includes("rekey") ? "ledger" : "issuer";
}

function isOurs(all: ReadonlyMap<number, Process>, pid: number): boolean {
  for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (at === process.pid) return true;
  return false;
}
