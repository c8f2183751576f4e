import { Option, type Command } from "commander";
import {
  listEmergencies,
  releaseConsumer,
  rotateNow,
  type EmergencyOptions,
  type ListEmergenciesOptions,
} from "./emergency.ts";
import type { Work } from "./io.ts";
import { rotateLeaked } from "./rotate-leaked.ts";
import { rotate, type RotateOptions } from "./rotation.ts";
import { usage } from "./cli-error.ts";

interface Parts {
  readonly reason: () => Option;
  readonly timeout: () => Option;
  readonly limit: () => Option;
  readonly duration: (text: string) => number;
  readonly wholeNumber: (text: string) => number;
}

/** What only means something where something has leaked. */
const onlyUrgent = [
  "version",
  "contain",
  "continuity",
  "deadline",
  "atDeadline",
  "whenFull",
  "suspect",
  "selector",
  "leaked",
  "yes",
] as const;

/** `rekey rotate`, and what an emergency needs beside it. */
export function addEmergencyCommands(program: Command, act: (work: Work) => Promise<void>, parts: Parts): void {
  const { reason, timeout, limit, duration, wholeNumber } = parts;
  const all =
    <T>(parse: (text: string) => T) =>
    (text: string, before: readonly T[] = []) => [...before, parse(text)];
  program
    .command("rotate")
    .description("replace a credential's version; with --emergency because it has leaked")
    .argument("[credential]", "team/name")
    .option("--wait", "until it is closed or waits for a person")
    .addOption(timeout())
    .addOption(reason())
    .option("--emergency", "it has leaked: prove it dead, whatever routine work is going on")
    .option(
      "--version <number>",
      "only this version has leaked; again for another; all that are alive without it",
      all(wholeNumber),
    )
    .option("--contain", "end it before its consumers have another; they break until then")
    .option("--continuity", "let its consumers move first, until the deadline, whatever the policy says")
    .option("--deadline <duration>", "how long they may take, such as 15m; as the policy says without it", duration)
    .addOption(
      new Option("--at-deadline <what>", "contain: end it then whoever breaks; hold: ask").choices(["contain", "hold"]),
    )
    .addOption(
      new Option(
        "--when-full <what>",
        "where its issuer has no room for another: end-older: the one whose end was never proven; in-place: end the leaked one first; hold: ask",
      ).choices(["end-older", "in-place", "hold"]),
    )
    .option(
      "--suspect <consumer>",
      "it may be the leak: gets nothing until it is released; again for another",
      all(String),
    )
    .option("-l, --selector <labels>", "all with these labels: team=shop,environment=production,tier=gold")
    .option("--leaked", "whatever is ours and alive of the values on standard input, one a line: never an argument")
    .option("-y, --yes", "do not ask before many are rotated")
    .addHelpText("after", "\nIn an emergency read docs/runbook-emergency.md.")
    .action((credential: string | undefined, options: RotateOptions & EmergencyOptions) =>
      act(async (io) => {
        if (options.emergency === true)
          return options.leaked === true ? rotateLeaked(io, credential, options) : rotateNow(io, credential, options);
        const misplaced = onlyUrgent.find((name) => options[name] !== undefined);
        if (misplaced !== undefined) throw usage("Nothing was done", "That option belongs to --emergency: add it.");
        if (credential === undefined)
          throw usage("rekey rotate needs <credential>: team/name", "See what it takes: rekey rotate --help");
        return rotate(io, credential, options);
      }),
    );
  program
    .command("emergency")
    .description("what has leaked and is to be proven dead")
    .command("list")
    .description("the newest first")
    .option("--open", "only those that are not over")
    .addOption(limit())
    .action((options: ListEmergenciesOptions) => act((io) => listEmergencies(io, options)));
}

/** Below `rekey consumer`. */
export function addReleaseCommand(
  consumer: Command,
  act: (work: Work) => Promise<void>,
  ofCredential: () => Option,
): void {
  consumer
    .command("release")
    .description("answer for it that a suspected consumer is not the leak: it gets versions again")
    .argument("<consumer>", "team/name")
    .addOption(ofCredential())
    .requiredOption("--reason <text>", "in your words, stored as typed: no secret")
    .action((name: string, options: { credential?: string; reason: string }) =>
      act((io) => releaseConsumer(io, name, options)),
    );
}
