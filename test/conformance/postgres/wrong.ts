import pg from "pg";
import { PermanentError } from "../../../domain/errors.ts";
import type { IssuerSession } from "../../../providers/contract/issuer.ts";
import type { IssuerServer } from "../../harness/postgres-issuer.ts";
import type { IssuerClauseName } from "../issuer-suite.ts";

/** The real provider with one small change, on a real server, and the clause that must catch it. */
export interface WrongPostgres {
  readonly name: string;
  readonly caughtBy: IssuerClauseName;
  twist(right: IssuerSession, server: IssuerServer): Partial<IssuerSession>;
}

const roleIn = (handle: string): string => pg.escapeIdentifier(decodeURIComponent(handle.split("/")[0] ?? ""));

async function endRole(server: IssuerServer, handle: string): Promise<void> {
  await server.ask(`ALTER ROLE ${roleIn(handle)} NOLOGIN PASSWORD NULL`);
}

/** A claim that beats every other. */
const always = { epoch: 9, number: 1 };

export const wrongPostgres: readonly WrongPostgres[] = [
  {
    name: "a late revoke ends whatever is in the slot",
    caughtBy: "5 a late revoke of version 1 does not hit version 3",
    twist: (_, server) => ({ revoke: ({ handle }) => endRole(server, handle) }),
  },
  {
    name: "looks at the slot first and ends it later",
    caughtBy: "5 a revoke held up on its way does not hit version 3",
    twist: (right, server) => ({
      async revoke(request) {
        const found = await right.list();
        await right.revoke(request).catch(() => undefined);
        if (found.some(({ handle }) => handle === request.handle)) await endRole(server, request.handle);
      },
    }),
  },
  {
    name: "does not compare claims",
    caughtBy: "5 an outdated claim cannot issue",
    twist: (right) => ({ issue: (request) => right.issue({ ...request, claim: always }) }),
  },
  {
    name: "leaves no trace of an abandoned version",
    caughtBy: "5 a late issue cannot revive what was abandoned",
    twist: (right, server) => ({
      async abandon(request) {
        await right.abandon(request);
        await server.ask(`COMMENT ON ROLE ${roleIn(request.handle)} IS NULL`);
      },
    }),
  },
  {
    name: "abandon fails when the candidate is gone already",
    caughtBy: "7.4 abandon succeeds when the candidate is gone or never was",
    twist: (right) => ({
      async abandon(request) {
        const found = await right.list();
        if (found.every(({ handle, state }) => handle !== request.handle || state !== "live"))
          throw new PermanentError("principal_missing", "There is no such version.");
        await right.abandon(request);
      },
    }),
  },
  {
    name: "takes a login that a person uses",
    caughtBy: "7.3 a version that a person made is not touched",
    twist: (right, server) => ({
      async choose(request) {
        for (const { handle, ours } of await right.list()) if (!ours) await endRole(server, handle);
        return right.choose?.(request) ?? Promise.reject(new TypeError("this kind chooses"));
      },
    }),
  },
  {
    name: "probe says accepted without a wrong-value control",
    caughtBy: "7.5 where anything is accepted, nothing is proven",
    twist: (right) => ({
      async probe(request) {
        const answer = await right.probe(request);
        const isTrust = answer.code === "not_challenged" || answer.code === "wrong_password_not_refused";
        return isTrust ? { ...answer, verdict: "accepted", code: "accepted" } : answer;
      },
    }),
  },
  {
    name: "probe takes an access rule for a death",
    caughtBy: "7.5 an access rule is unknown",
    twist: (right) => ({
      async probe(request) {
        const answer = await right.probe(request);
        return answer.code === "28000" ? { ...answer, verdict: "refused", code: "28P01" } : answer;
      },
    }),
  },
  {
    name: "probe takes a full connection limit for a death",
    caughtBy: "7.5 a full connection limit is unknown",
    twist: (right) => ({
      async probe(request) {
        const answer = await right.probe(request);
        return answer.code === "53300" ? { ...answer, verdict: "refused", code: "28P01" } : answer;
      },
    }),
  },
  {
    name: "usage excuses a session by its application name",
    caughtBy: "7.6 a name that a session gives itself excuses nobody",
    twist: (right) => ({
      async usage(handles) {
        const all = (await right.usage?.(handles)) ?? { at: "", sessions: {} };
        const some = Object.entries(all.sessions).map(
          ([handle, seen]) => [handle, seen.filter(({ applicationName }) => applicationName !== "rekey")] as const,
        );
        return { ...all, sessions: Object.fromEntries(some) };
      },
    }),
  },
  {
    name: "endSessions says none remain while one is",
    caughtBy: "5 endSessions never says none while one is",
    twist: (right) => ({
      async endSessions(request) {
        const { ended = 0, remaining = 0 } = (await right.endSessions?.(request)) ?? {};
        return { ended: ended + remaining, remaining: 0 };
      },
    }),
  },
];
