import { Option, type Command } from "commander";
import type { Work } from "./io.ts";
import { checkLeaks, type LeakOptions } from "./leak.ts";
import { reportFormats } from "./scanner-report.ts";

/** The commands about what has leaked. */
export function addLeakCommands(
  program: Command,
  act: (work: Work) => Promise<void>,
  options: { readonly timeout: () => Option },
): void {
  program
    .command("leak")
    .description("what somebody found where it should not be")
    .command("check")
    .description("whether values are ours and alive, and what to do; they come on standard input, one a line")
    .argument("[file]", "with --format: the report, or - for standard input")
    .addOption(new Option("--format <scanner>", "the input is that scanner's JSON report").choices(reportFormats))
    .addOption(options.timeout())
    .addHelpText(
      "after",
      [
        "",
        "Nothing of a value is shown or kept: lines are named by their numbers, findings of a report by file and line.",
        "Ends with 3 when one is ours and not proven dead, else with 1 when one could not be compared, else with 0.",
        "",
        "  rekey leak check < found.txt",
        "  rekey leak check --format gitleaks report.json",
        "  trufflehog git file://. --json | rekey leak check --format trufflehog -",
      ].join("\n"),
    )
    .action((file: string | undefined, given: LeakOptions) => act((io) => checkLeaks(io, file, given)));
}
