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
  const said = message.replace(/^error: /, "").replaceAll("\n", " ");
  return usage(inOurWords(said, command), `See what it takes: ${help}`);
}

const unlikeOption =
  "something that begins with - is no option, and is not repeated here. Was it a secret, it stands in your shell's history: count it as leaked";

/** The parser's sentences, as a person says them. */
function inOurWords(said: string, command: Command): string {
  const path = pathOf(command);
  const [, missing] = /^missing required argument '(.+)'/.exec(said) ?? [];
  const argument = command.registeredArguments.find((one) => one.name() === missing);
  if (argument !== undefined) return `${path} needs <${argument.name()}>: ${argument.description}`;
  const [, flags] = /^required option '(.+)' not specified/.exec(said) ?? [];
  const option = command.options.find((one) => one.flags === flags);
  if (option !== undefined) return `${path} needs ${option.flags}: ${option.description}`;
  return (
    said
      // What is too many may be a secret, and so may what only begins as an option does.
      .replace(/^unknown option '(?!--?[a-z][a-z-]*')[^]*$/, unlikeOption)
      .replace(/^(too many arguments .* but got \d+): .*$/s, "$1. A text of several words needs quotes around it.")
      .replace(/^command-argument value '.*?' is invalid for argument '(.+?)'\./, "<$1> is not valid.")
      .replace(/^option '(.+?)' argument '.*?' is invalid\./, "$1 is not valid.")
  );
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
