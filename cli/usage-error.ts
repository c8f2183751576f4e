import type { Command, CommanderError } from "commander";
import { usage, type CliError } from "./cli-error.ts";

/** What the parser found wrong, as any other mistake is told; undefined when only help or the version was asked for. */
export function usageError(
  program: Command,
  words: readonly string[],
  { exitCode, message }: CommanderError,
): CliError | undefined {
  if (exitCode === 0) return undefined;
  const command = namedCommand(program, words);
  const help = `${pathOf(command)} --help`;
  // A group without its command: the parser has no message for that.
  if (message === "(outputHelp)") {
    const names = command.commands.map((one) => one.name()).join(", ");
    return usage(`${pathOf(command)} needs a command`, `Add one of ${names}; ${help} says what each does.`);
  }
  const [first = "", ...rest] = message.replace(/^error: /, "").split("\n");
  return usage([first, ...rest].join(" "), `See what it takes: ${help}`);
}

/** The innermost command that the words name. */
function namedCommand(program: Command, words: readonly string[]): Command {
  let found = program;
  for (const word of words) found = found.commands.find((one) => one.name() === word) ?? found;
  return found;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
