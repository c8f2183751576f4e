import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { findToken } from "../ledger/tokens.ts";
import type { ApiDeps, Caller } from "./deps.ts";
import { ProblemError } from "./problem.ts";
import { tokenDigest } from "./token-file.ts";

const callers = new WeakMap<FastifyRequest, Caller>();

/** Who asks; for a public route, nobody. */
export function callerOf(request: FastifyRequest): Caller {
  return callers.get(request) ?? { actor: "anonymous" };
}

const bearer = /^Bearer (rk_[A-Za-z0-9_-]{43})$/;

const refused = (detail: string) => new ProblemError("token_refused", detail);

/** Lets only the bearer of a valid token on. */
export function authenticate({ ledger }: ApiDeps) {
  return async (request: FastifyRequest): Promise<void> => {
    const [, token] = bearer.exec(request.headers.authorization ?? "") ?? [];
    if (token === undefined) throw refused("Send it as `Authorization: Bearer rk_…`.");
    const found = await findToken(ledger, tokenDigest(token));
    if (found === undefined) throw refused("The token is not known here.");
    if (found.isExpired) throw refused("The token has expired.");
    callers.set(request, { actor: found.id });
  };
}

/** Requests are counted by what they authenticate with; those without a token share one count. */
export function rateKey(request: FastifyRequest): string {
  const given = request.headers.authorization;
  return given === undefined ? "none" : createHash("sha256").update(given).digest("base64url");
}
