import { InvalidArgumentError, type Command, type Option } from "commander";
import type { Work } from "./io.ts";
import {
  calendar,
  declareFreeze,
  endFreeze,
  explain,
  listFreezes,
  status,
  type CalendarOptions,
  type FreezeOptions,
} from "./routine.ts";

function time(text: string): string {
  if (/^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(text) && !Number.isNaN(Date.parse(text))) return text;
  throw new InvalidArgumentError("Write a time with its zone, such as 2027-01-07T08:00:00Z.");
}

/** The commands about rotations that happen by themselves. */
export function addRoutineCommands(
  program: Command,
  act: (work: Work) => Promise<void>,
  options: { readonly limit: () => Option; readonly wholeNumber: (text: string) => number },
): void {
  program
    .command("status")
    .description("whether rotations happen by themselves: one screen, what is wrong and what to do")
    .addHelpText("after", "\nEnds with 1 when something is bad, with 3 when only a person's answer is missing.")
    .action(() => act(status));
  program
    .command("calendar")
    .description("what is due and what becomes due, and why what is due does not run")
    .option("--team <name>", "of this team only")
    .option("--environment <name>", "in this environment only")
    .option("--credential <credential>", "this one only")
    .option("--days <number>", "so far ahead; 14 without it", options.wholeNumber)
    .addOption(options.limit())
    .action((given: CalendarOptions) => act((io) => calendar(io, given)));
  program
    .command("policy")
    .description("what rules a credential's rotations")
    .command("explain")
    .description("each value, and whether environment, team, policy or the credential itself says it")
    .argument("<credential>", "team/name")
    .action((name: string) => act((io) => explain(io, name)));

  const freeze = program.command("freeze").description("times in which routine work does nothing that consumers feel");
  freeze
    .command("declare")
    .description("of a team, of an environment, or of all; what is urgent is not bound by it")
    .option("--team <name>", "of this team only")
    .option("--environment <name>", "in this environment only")
    .option("--all", "everything")
    .requiredOption("--reason <text>", "for whoever meets it")
    .requiredOption("--until <time>", "with its zone: 2027-01-07T08:00:00Z", time)
    .option("--from <time>", "now without it", time)
    .action((given: FreezeOptions) => act((io) => declareFreeze(io, given)));
  freeze
    .command("list")
    .description("those that last, are to come, or have ended lately")
    .action(() => act((io) => listFreezes(io)));
  freeze
    .command("end")
    .description("before its time")
    .argument("<freeze>", "its id")
    .action((id: string) => act((io) => endFreeze(io, id)));
}
