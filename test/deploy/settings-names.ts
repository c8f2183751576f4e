import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { join } from "node:path";
import { describeSettings } from "../../settings.ts";

const execute = promisify(execFile);
const program = join(import.meta.dirname, "..", "..", "bin", "rekey");

/** Those of the names that rekey would not read: it refuses some of them, and passes over others. */
export function unknownSettings(names: readonly string[]): readonly string[] {
  const known = describeSettings().map(({ name }) => name);
  return names.filter((name) => !known.includes(name));
}

/** Settings that hold a secret themselves; deployments give them as files. */
export function openSecrets(names: readonly string[]): readonly string[] {
  const known = describeSettings().map(({ name }) => name);
  return names.filter((name) => known.includes(`${name}_FILE`));
}

/** What is wrong with a command line, by the help of the command itself; undefined when there is such a command. */
export async function wrongCommand(words: readonly string[]): Promise<string | undefined> {
  const options = words.filter((word) => word.startsWith("--"));
  const first = words.findIndex((word) => word.startsWith("-"));
  const command = first === -1 ? words : words.slice(0, first);
  const { stdout } = await execute(process.execPath, [program, ...command, "--help"]);
  if (!stdout.toLowerCase().startsWith(`usage: rekey ${command.join(" ")} `)) return `no command ${command.join(" ")}`;
  const missing = options.filter((option) => !new RegExp(`${option}(?![\\w-])`).test(stdout));
  return missing.length === 0 ? undefined : `${command.join(" ")} has no ${missing.join(", ")}`;
}
