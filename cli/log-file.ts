import { mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

/**
 * An open log file in the home. It stays open as long as this process runs, for each program that is started again: a
 * plain number, since a handle is closed once nothing refers to it. Opened to append, so that the keeper of the home
 * may empty it under its writers when it has grown large.
 */
export function openLogFile(home: string, name: string): number {
  const folder = join(home, "logs");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return openSync(join(folder, `${name}.log`), "a", 0o600);
}
