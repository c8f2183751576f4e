import type { Answer, Request } from "../api/client.ts";
import { emptyList } from "./empty-list.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { changeLines } from "./register.ts";
import { clock } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { wrap } from "./wrap.ts";

export interface ListOptions {
  readonly state?: Request<"listGrants">["query"]["state"];
  readonly limit?: number;
}

/** `rekey grant list` */
export async function listGrants(io: Io, { state, limit }: ListOptions): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("listGrants", { query: { state, limit } });
  io.give(answer);
  const rows = answer.grants.map((one) => [
    one.id,
    one.state,
    one.action,
    one.consumer,
    one.credential,
    one.target,
    clock(one.requestedAt),
    one.reason,
  ]);
  if (rows.length === 0) io.say(emptyList("grant", { state }, "Ask for one: rekey consumer register -f FILE"));
  else io.say(...table([["GRANT", "STATE", "ACTION", "CONSUMER", "CREDENTIAL", "TARGET", "ASKED", "REASON"], ...rows]));
  return exitCodes.done;
}

type Shown = Answer<"showGrant">;

/** `rekey grant show`: all that an owner says yes to. */
export async function showGrant(io: Io, grant: string): Promise<ExitCode> {
  const client = await io.client();
  const found = await client.call("showGrant", { params: { grant } });
  io.give(found);
  const { content, isPlaceAllowed } = found;
  const row = (name: string, text: string) => `  ${name.padEnd(11)} ${printable(text)}`;
  io.say(
    `Grant ${found.id}   ${found.state}`,
    row("Consumer", `${content.consumer}, ${content.action === "create" ? "new" : "changed"}`),
    row("Credential", `${content.credential}: its value would be delivered there`),
    row("Target", content.target),
    row("Kind", content.kind),
    row("Connection", content.connection ?? "none: no connection says which such places a team may use"),
    row("Config", JSON.stringify(content.config)),
    row("Evidence", JSON.stringify(content.evidence)),
    row("Digest", found.digest),
    row("Asked", `${clock(found.requestedAt)}${found.requestedBy === "" ? "" : ` by ${found.requestedBy}`}`),
    ...(found.decidedAt === null ? [] : answeredLines(found).map(([name, text]) => row(name, text))),
    "",
    content.action === "create" ? "It registers" : "It changes",
    ...changeLines(content.changes),
    ...(found.state === "pending" ? ["", ...waitingLines(found, isPlaceAllowed)] : []),
  );
  return exitCodes.done;
}

function answeredLines({ decidedAt, decidedBy, reason }: Shown): readonly (readonly [string, string])[] {
  const by = decidedBy === "" ? "" : ` by ${decidedBy}`;
  return [["Answered", `${clock(decidedAt ?? "")}${by}`], ...(reason === "" ? [] : [["Because", reason] as const])];
}

function waitingLines({ id, digest, isOwner, openRotation }: Shown, isPlaceAllowed: boolean): readonly string[] {
  const who = isPlaceAllowed ? "another token of the owning team, or an operator" : "an operator";
  if (!isOwner) return wrap("It waits for the credential's owner. Nothing is delivered before.", "");
  return [
    ...wrap(`It waits for ${who}, other than who asked. Nothing is delivered before.`, ""),
    ...(openRotation === null ? [] : [`The open rotation ${openRotation} includes it from its approval on.`]),
    `  Yes: rekey grant approve ${id} --digest ${digest}`,
    `  No:  rekey grant refuse ${id} --reason "…"`,
  ];
}

export interface ApproveOptions {
  readonly digest: string;
  readonly reason?: string;
}

/** `rekey grant approve` */
export async function approveGrant(io: Io, grant: string, body: ApproveOptions): Promise<ExitCode> {
  const client = await io.client();
  io.give(await client.call("approveGrant", { params: { grant }, body: { ...body } }));
  io.say("Approved and registered. The rotation that runs, or else the next one, delivers to it: rekey consumer list");
  return exitCodes.done;
}

/** `rekey grant refuse` */
export async function refuseGrant(io: Io, grant: string, { reason }: { readonly reason: string }): Promise<ExitCode> {
  const client = await io.client();
  io.give(await client.call("refuseGrant", { params: { grant }, body: { reason } }));
  io.say("Refused. Who asked reads your reason: rekey grant show");
  return exitCodes.done;
}

/** `rekey grant withdraw` */
export async function withdrawGrant(io: Io, grant: string): Promise<ExitCode> {
  const client = await io.client();
  io.give(await client.call("withdrawGrant", { params: { grant } }));
  io.say("Withdrawn. What was registered before stays in force.");
  return exitCodes.done;
}

export interface ShareOptions {
  readonly team: string;
}

/** `rekey credential share` and `unshare` */
export async function share(
  io: Io,
  credential: string,
  { team }: ShareOptions,
  route: "shareCredential" | "unshareCredential",
): Promise<ExitCode> {
  const client = await io.client();
  io.give(await client.call(route, { params: { credential }, body: { team } }));
  io.say(
    route === "shareCredential"
      ? `A team called ${printable(team)} sees it by its name and may ask for consumers there; each waits for a yes: rekey grant list`
      : `Team ${printable(team)} sees it no more, unless a consumer of its runs on it; that one stays.`,
  );
  return exitCodes.done;
}
