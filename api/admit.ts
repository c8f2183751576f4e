import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { nothing, type Scope } from "../domain/scope.ts";
import type { Ledger } from "../ledger/database.ts";
import { findToken, type Token } from "../ledger/tokens.ts";
import { access, mayCall } from "./access-table.ts";
import type { ApiDeps, Caller } from "./deps.ts";
import { tokenDigest } from "./new-token.ts";
import { ProblemError } from "./problem.ts";
import type { RouteName } from "./route-table.ts";

const callers = new WeakMap<FastifyRequest, Caller>();

const anonymous: Caller = { actor: "anonymous", scope: nothing };

/** Who asks; for a public route, nobody. */
export function callerOf(request: FastifyRequest): Caller {
  return callers.get(request) ?? anonymous;
}

const bearer = /^Bearer (rk_[A-Za-z0-9_-]{43})$/;

const refused = (detail: string) => new ProblemError("token_refused", detail);

/** Lets only those on who may call the route, before anything of the request is looked at. */
export function admit({ ledger }: ApiDeps, route: RouteName) {
  return async (request: FastifyRequest): Promise<void> => {
    const allowed = access[route];
    if (allowed === "everyone") return;
    const token = await identify(ledger, request.headers.authorization);
    callers.set(request, { actor: token.id, scope: scopeOf(token) });
    if (!mayCall(token.role, route))
      throw new ProblemError("forbidden", `The role ${token.role} may not; these may: ${allowed.join(", ")}.`);
  };
}

function scopeOf({ role, teamId }: Token): Scope {
  return role === "team" ? { teamId: teamId ?? "" } : "everything";
}

async function identify(ledger: Ledger, authorization = ""): Promise<Token> {
  const [, token] = bearer.exec(authorization) ?? [];
  if (token === undefined) throw refused("Send it as `Authorization: Bearer rk_…`.");
  const found = await findToken(ledger, tokenDigest(token));
  if (found === undefined) throw refused("The token is not known here.");
  if (found.state !== "valid") throw refused(`The token ${found.state === "expired" ? "has expired" : "was revoked"}.`);
  return found;
}

/** Requests are counted by what they authenticate with; those without a token share one count. */
export function rateKey(request: FastifyRequest): string {
  const given = request.headers.authorization;
  return given === undefined ? "none" : createHash("sha256").update(given).digest("base64url");
}
