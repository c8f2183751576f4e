import { Option, type Command } from "commander";
import { grantStates } from "../api/client.ts";
import type { ConsumerOptions } from "./consumer.ts";
import {
  approveGrant,
  listGrants,
  refuseGrant,
  share,
  showGrant,
  withdrawGrant,
  type ApproveOptions,
  type ListOptions,
  type ShareOptions,
} from "./grant.ts";
import type { Work } from "./io.ts";
import {
  acknowledge,
  register,
  retire,
  type AcknowledgeOptions,
  type RegisterOptions,
  type RetireOptions,
} from "./register.ts";

interface Shared {
  readonly act: (work: Work) => Promise<void>;
  readonly collect: (value: string, all?: readonly string[]) => string[];
  readonly wholeNumber: (text: string) => number;
  readonly reason: () => Option;
  readonly limit: () => Option;
  readonly ofCredential: () => Option;
}

/** How a team looks after its own consumers, and how an owner decides where a credential's value goes. */
export function addGrantCommands(
  program: Command,
  { consumer, credential }: { readonly consumer: Command; readonly credential: Command },
  { act, collect, wholeNumber, reason, limit, ofCredential }: Shared,
): void {
  const whichConsumer = ["<consumer>", "team/name"] as const;
  consumer
    .command("register")
    .description("ask a credential's owner for a consumer, or for a change of one; nothing is delivered before a yes")
    .requiredOption("-f, --file <file>", "a manifest, a folder with manifests, or - for standard input", collect)
    .option("--dry-run", "only say what would be asked for")
    .action((options: RegisterOptions) => act((io) => register(io, options)));
  consumer
    .command("ack")
    .description("say in your name that it runs on a version that the open rotation has delivered")
    .argument(...whichConsumer)
    .requiredOption("--version <number>", "the version that it runs on", wholeNumber)
    .addOption(ofCredential())
    .action((name: string, options: AcknowledgeOptions) => act((io) => acknowledge(io, name, options)));
  consumer
    .command("retire")
    .description("take it out of the registry; what lies at its target stays, and an open rotation misses it")
    .argument(...whichConsumer)
    .addOption(ofCredential())
    .option("--yes", "retire without being asked; needed without a terminal")
    .action((name: string, options: RetireOptions & ConsumerOptions) => act((io) => retire(io, name, options)));

  for (const [verb, text] of [
    ["share", "tell a team of it by its name, so that it can ask for consumers there"],
    ["unshare", "take that back; consumers that it has there stay"],
  ] as const)
    credential
      .command(verb)
      .description(text)
      .argument("<credential>", "team/name")
      .requiredOption("--team <name>", "whom")
      .action((name: string, options: ShareOptions) =>
        act((io) => share(io, name, options, verb === "share" ? "shareCredential" : "unshareCredential")),
      );

  const grant = program
    .command("grant")
    .description("where teams ask a credential's value to go, and what its owner says");
  const whichGrant = ["<grant>", "its id, grt_…"] as const;
  grant
    .command("list")
    .description("what was asked for and what came of it")
    .addOption(new Option("--state <state>", "of this state only").choices(grantStates))
    .addOption(limit())
    .action((options: ListOptions) => act((io) => listGrants(io, options)));
  grant
    .command("show")
    .description("exactly what would be delivered where, and the digest of that")
    .argument(...whichGrant)
    .action((id: string) => act((io) => showGrant(io, id)));
  grant
    .command("approve")
    .description("say yes to exactly what you have read; nobody does to what they asked for themselves")
    .argument(...whichGrant)
    .requiredOption("--digest <digest>", "of what you have read, as rekey grant show prints it")
    .addOption(reason())
    .action((id: string, options: ApproveOptions) => act((io) => approveGrant(io, id, options)));
  grant
    .command("refuse")
    .description("say no to it, and why")
    .argument(...whichGrant)
    .requiredOption("--reason <text>", "for who asked, stored as typed: no secret")
    .action((id: string, options: { reason: string }) => act((io) => refuseGrant(io, id, options)));
  grant
    .command("withdraw")
    .description("take back what your team asked for")
    .argument(...whichGrant)
    .action((id: string) => act((io) => withdrawGrant(io, id)));
}
