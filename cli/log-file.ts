import { mkdirSync, openSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";

const largestLog = 10 * 1024 * 1024;

/**
 * An open log file in the home; one that has grown large becomes the former one. It stays open as long as this process
 * runs, for each program that is started again: a plain number, since a handle is closed once nothing refers to it.
 */
export function openLogFile(home: string, name: string): number {
  const folder = join(home, "logs");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${name}.log`);
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > largestLog) renameSync(file, `${file}.1`);
  return openSync(file, "a", 0o600);
}
