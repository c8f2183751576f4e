import { Option, type Command } from "commander";
import type { Work } from "./io.ts";
import {
  printAuditKeys,
  receipt,
  receiptFormats,
  verifyReceiptFile,
  type ReceiptOptions,
  type VerifyOptions,
} from "./receipt.ts";

interface Groups {
  readonly rotation: Command;
  readonly audit: Command;
}

/** The commands about signed receipts, some of them in groups that are there already. */
export function addReceiptCommands(
  program: Command,
  { rotation, audit }: Groups,
  act: (work: Work) => Promise<void>,
  options: {
    readonly timeout: () => Option;
    readonly which: readonly [string, string];
    readonly collect: (value: string, all?: readonly string[]) => readonly string[];
  },
): void {
  rotation
    .command("receipt")
    .description("the proof of a closed rotation, signed, as JSON or as a page to print")
    .argument(...options.which)
    .addOption(new Option("--format <format>", "how it is written").choices(receiptFormats).default("json"))
    .option("--out <file>", "write it there")
    .addOption(options.timeout())
    .action((name: string, given: ReceiptOptions) => act((io) => receipt(io, name, given)));
  program
    .command("receipt")
    .description("receipts of rotations, away from rekey")
    .command("verify")
    .description("check a receipt, JSON or page, and name what was changed; asks no rekey and no network")
    .argument("<file>", "as `rekey rotation receipt` wrote it")
    .requiredOption(
      "--key <file>",
      "the public key that you have pinned, as `rekey audit key` prints it; each of them",
      options.collect,
    )
    .addHelpText(
      "after",
      "\nEnds with 0 when it is genuine, with 1 when it is not, with 2 when file or key cannot be read.",
    )
    .action((file: string, given: VerifyOptions) => act((io) => verifyReceiptFile(io, file, given)));
  audit
    .command("key")
    .description("the public keys that sign receipts and heads, to pin")
    .action(() => act(printAuditKeys));
}
