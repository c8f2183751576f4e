import { Option, type Command } from "commander";
import { roleNames } from "../api/client.ts";
import type { Work } from "./io.ts";
import { recoverToken } from "./run-program.ts";
import { createToken, listTokens, revokeToken, type CreateOptions, type ListOptions } from "./token.ts";

/** The commands about who may ask rekey for what. */
export function addTokenCommands(
  program: Command,
  act: (work: Work) => Promise<void>,
  { limit, duration }: { readonly limit: () => Option; readonly duration: (text: string) => number },
): void {
  const token = program.command("token").description("who may ask rekey for what");
  token
    .command("create")
    .description("make a token; it stands alone on standard output, this once")
    .addOption(new Option("--role <role>", "what its bearer may do").choices(roleNames).makeOptionMandatory())
    .option("--team <name>", "of the role team: whose it is")
    .addOption(new Option("--expires <duration>", "how long it lives; 90d without it").argParser(duration))
    .option("--description <text>", "whose it is, in your words, stored as typed: no secret")
    .action((options: CreateOptions) => act((io) => createToken(io, options)));
  token
    .command("list")
    .description("all of them with their last use; of none what its bearer sends")
    .option("--valid", "only those that are neither expired nor revoked")
    .addOption(limit())
    .action((options: ListOptions) => act((io) => listTokens(io, options)));
  token
    .command("revoke")
    .description("refuse it from its next request on")
    .argument("<token>", "its id, tok_…")
    .action((id: string) => act((io) => revokeToken(io, id)));
  token
    .command("recover")
    .description(
      "make an admin's token, 30 days, by the ledger's address (DATABASE_URL_FILE): when all admins lost theirs",
    )
    .action(() => act(recoverToken));
}
