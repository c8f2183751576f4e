import { z } from "zod";
import { TransientError } from "../../../domain/errors.ts";
import type { EffectRequest, EndedSessions, SeenSession } from "../../contract/issuer.ts";
import { isGood } from "../../systems/vault/way.ts";
import { parsedAs } from "../../systems/vault/vault.ts";
import { allOf } from "./api.ts";
import { readHandle, unmarked, type Handle } from "./config.ts";
import { fewAtOnce } from "./few-at-once.ts";
import { readMark } from "./mark.ts";
import { rights } from "./rights.ts";
import { loginPath, type Scope } from "./scope.ts";

/** A token that somebody got by logging in with a secret id of the role. */
export interface Token {
  /** Of the token. */
  readonly accessor: string;
  /** Of the secret id that it was made with; `unmarked` where a person made that. */
  readonly mark: string;
  /** By Vault's clock, ISO 8601. */
  readonly startedAt: string;
}

const keys = z.object({ data: z.object({ keys: z.array(z.string()) }) });
const looked = z.object({
  data: z.object({
    path: z.string(),
    meta: z.record(z.string(), z.string()).nullish(),
    creation_time: z.number(),
    issue_time: z.string().optional(),
  }),
});

/** Undefined where it has ended. https://developer.hashicorp.com/vault/api-docs/auth/token#lookup-a-token-accessor */
async function lookUpToken({ vault, signal, config }: Scope, accessor: string): Promise<Token | undefined> {
  const right = rights.lookUpToken();
  const call = { method: "POST", path: right.path, json: { accessor }, right } as const;
  // A token that goes at this very moment is answered with 403, as a missing right is: the next look tells.
  const first = await vault.ask({ ...call, expects: [400, 403, 404] }, signal);
  const answer = first.status === 403 ? await vault.ask({ ...call, expects: [400, 404] }, signal) : first;
  if (!isGood(answer)) return undefined;
  const { path, meta, creation_time: seconds, issue_time: issued } = parsedAs(vault, looked, answer, right).data;
  if (path !== loginPath(config) || meta?.["role_name"] !== config.role) return undefined;
  const startedAt = issued === undefined ? new Date(seconds * 1000) : new Date(issued);
  return { accessor, mark: readMark(meta)?.mark ?? unmarked, startedAt: startedAt.toISOString() };
}

/** Every token of the role, among all that Vault has. https://developer.hashicorp.com/vault/api-docs/auth/token#list-accessors */
export async function tokensOf(scope: Scope): Promise<readonly Token[]> {
  const { vault, signal } = scope;
  const right = rights.listTokens();
  const answer = await vault.ask({ path: `${right.path}?list=true`, right, expects: [404] }, signal);
  if (!isGood(answer)) return [];
  const { keys: accessors } = parsedAs(vault, keys, answer, right).data;
  const looks = await fewAtOnce(accessors, async (accessor) => lookUpToken(scope, accessor));
  return looks.filter((token) => token !== undefined);
}

/** https://developer.hashicorp.com/vault/api-docs/auth/token#revoke-a-token-accessor */
export async function revokeToken({ vault, signal }: Scope, accessor: string): Promise<void> {
  const right = rights.revokeToken();
  const call = { method: "POST", path: right.path, json: { accessor }, right, expects: [400, 404] } as const;
  await vault.ask(call, signal);
}

/** Vault keeps no address of who logged in, and no name: it is shown as one place. */
export const seenOf = ({ startedAt }: Token, { config }: Scope, { accessor }: Handle): SeenSession => ({
  principal: accessor,
  database: config.role,
  address: "local",
  applicationName: "",
  startedAt,
});

/**
 * Ends the tokens of a version, which Vault leaves alive when their secret id is destroyed. Those without our mark are told
 * from one another by nothing: they are ended only where no secret id is left, besides this one, that could be theirs.
 */
export async function endTokens(
  scope: Scope,
  request: EffectRequest & { readonly since?: string; readonly before?: string },
  isOwn: (token: Token) => boolean,
): Promise<EndedSessions> {
  const { accessor, mark } = readHandle(request.handle);
  const [since, before] = [Date.parse(request.since ?? "1970"), Date.parse(request.before ?? "9999")];
  const meant = (await tokensOf(scope)).filter(
    (token) =>
      token.mark === mark &&
      !isOwn(token) &&
      Date.parse(token.startedAt) >= since &&
      Date.parse(token.startedAt) < before,
  );
  if (mark === unmarked && meant.length > 0) {
    const others = (await allOf(scope)).filter((one) => one.mark === undefined && one.accessor !== accessor);
    if (others.length > 0) return { ended: 0, remaining: meant.length };
  }
  // Only these are looked at again: who logs in meanwhile is seen by the next round, and all of Vault's tokens but once a round.
  const left = await fewAtOnce(meant, async ({ accessor: token }) => {
    await revokeToken(scope, token).catch((error: unknown) => {
      // What it left is counted, and asked for again.
      if (!(error instanceof TransientError)) throw error;
    });
    return (await lookUpToken(scope, token)) !== undefined;
  });
  const remaining = left.filter(Boolean).length;
  return { ended: meant.length - remaining, remaining };
}
