import type { Request } from "../api/client.ts";
import { emptyList } from "./empty-list.ts";
import { exitCodes, type ExitCode } from "./exit-codes.ts";
import type { Io } from "./io.ts";
import { clock } from "./show-time.ts";
import { table } from "./table.ts";

export interface CreateOptions {
  readonly role: Request<"createToken">["body"]["role"];
  readonly team?: string;
  readonly expires?: number;
  readonly description?: string;
}

/** Without `--expires`. */
const usualLifeMs = 90 * 86_400_000;

/** `rekey token create`: the token alone on standard output, so that it can go into a file. */
export async function createToken(io: Io, options: CreateOptions): Promise<ExitCode> {
  const { role, team, description, expires: expiresInMs = usualLifeMs } = options;
  const client = await io.client();
  const made = await client.call("createToken", { body: { role, team, description, expiresInMs } });
  io.give(made);
  io.say(made.token);
  io.note(
    `Token ${made.id} of the role ${role}${team === undefined ? "" : ` for team ${team}`} lives until ${clock(made.expiresAt)}. It is shown this once.`,
    "  Keep it where only its bearer reads: (umask 077; rekey token create … > FILE), then REKEY_TOKEN_FILE=FILE",
  );
  return exitCodes.done;
}

export interface ListOptions {
  readonly valid?: boolean;
  readonly limit?: number;
}

/** `rekey token list` */
export async function listTokens(io: Io, { valid, limit }: ListOptions): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("listTokens", { query: { ...(valid === true ? { valid: "true" } : {}), limit } });
  io.give(answer);
  const rows = answer.tokens.map((one) => [
    one.id,
    one.role,
    one.team ?? "",
    one.state,
    clock(one.expiresAt),
    one.lastUsedAt === null ? "never" : clock(one.lastUsedAt),
    one.madeBy,
    one.description,
  ]);
  if (rows.length === 0) io.say(emptyList("token", { valid }, "Make one: rekey token create --role ROLE"));
  else io.say(...table([["TOKEN", "ROLE", "TEAM", "STATE", "EXPIRES", "LAST USED", "MADE BY", "FOR"], ...rows]));
  return exitCodes.done;
}

/** `rekey token revoke` */
export async function revokeToken(io: Io, token: string): Promise<ExitCode> {
  const client = await io.client();
  const answer = await client.call("revokeToken", { params: { token } });
  io.give(answer);
  io.say(answer.isNew ? "Revoked: its next request is refused." : "It had been revoked before.");
  return exitCodes.done;
}
