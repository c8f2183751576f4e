import type { Answer } from "../api/client.ts";
import { emptyList } from "./empty-list.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { clock } from "./show-time.ts";
import { printable, table } from "./table.ts";

export interface ProposalsOptions {
  readonly credential?: string;
  readonly settled?: boolean;
  readonly limit?: number;
}

type Proposal = Answer<"listProposals">["proposals"][number];

/** `rekey consumer proposals` */
export async function listProposals(io: Io, { credential, settled, limit }: ProposalsOptions): Promise<ExitCode> {
  const client = await io.client();
  const query = { credential, limit, ...(settled === true ? { settled: "true" as const } : {}) };
  const answer = await client.call("listProposals", { query });
  io.give(answer);
  const rows = answer.proposals.map((one) => [
    one.id,
    one.credential,
    printable(one.address),
    printable(one.applicationName),
    printable(one.database),
    clock(one.lastSeenAt),
    String(one.samples),
    stateOf(one),
  ]);
  if (rows.length === 0) {
    io.say(emptyList("proposal", { credential }, "Rotations and consumer tests find who is not registered."));
    return exitCodes.done;
  }
  io.say(
    ...table([["PROPOSAL", "CREDENTIAL", "FROM", "APPLICATION", "DATABASE", "LAST SEEN", "LOOKS", "STATE"], ...rows]),
    "",
    "For a manifest that registers one: rekey consumer proposals show PROPOSAL > consumer.yaml",
  );
  return exitCodes.done;
}

function stateOf({ state, consumer, dismissedBy, reason }: Proposal): string {
  if (state === "registered") return `registered as ${consumer ?? ""}`;
  return state === "dismissed" ? `dismissed by ${dismissedBy ?? ""}: ${printable(reason ?? "")}` : state;
}

/** `rekey consumer proposals show`: the manifest alone on standard output, so that it can go into a file. */
export async function showProposal(io: Io, proposal: string): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("showProposal", { params: { proposal } });
  io.give(found);
  const { credential, principal, address, applicationName, database, firstSeenAt, lastSeenAt, samples, rotation } =
    found;
  io.say(found.manifest.trimEnd());
  io.note(
    `${printable(principal)} from ${printable(address)} (application "${printable(applicationName)}", database "${printable(database)}") is on ${credential}: ${stateOf(found)}.`,
    `  Seen by ${samples} ${samples === 1 ? "look" : "looks"} from ${clock(firstSeenAt)} to ${clock(lastSeenAt)}${rotation === null ? "" : `, last in ${rotation}`}.`,
    "  Change what is marked, then: rekey apply -f FILE. Where no consumer is wanted:",
    `  rekey consumer proposals dismiss ${found.id} --reason "…"`,
  );
  return exitCodes.done;
}

/** `rekey consumer proposals dismiss` */
export async function dismissProposal(io: Io, proposal: string, { reason }: { reason: string }): Promise<ExitCode> {
  const client = await io.client();
  io.give(await client.call("dismissProposal", { params: { proposal }, body: { reason } }));
  io.say(
    "Dismissed, in your name. A rotation that meets it on an old version asks all the same: answer its hold with accept.",
  );
  return exitCodes.done;
}
