import { RekeyError } from "../../../domain/errors.ts";
import type { IssuerSession, ProbeAnswer, ProbeRequest } from "../../../providers/contract/issuer.ts";
import type { ReferenceServer } from "../reference/server.ts";
import type { IssuerClauseName } from "../issuer-suite.ts";
import { force, loginIn, nameIn, secretIn, type WrongIssuer } from "./wrong-issuer.ts";

type Probing = (right: IssuerSession, server: ReferenceServer, request: ProbeRequest) => Promise<ProbeAnswer>;

const wrongProbe = (name: string, caughtBy: IssuerClauseName, probe: Probing): WrongIssuer => ({
  name,
  shape: "two slots",
  caughtBy,
  twist: { session: (right, server) => ({ probe: (request) => probe(right, server, request) }) },
});

const controls = [{ control: "wrong value", answer: "bad_secret" }];
const refused: ProbeAnswer = { verdict: "refused", code: "bad_secret", controls };
const accepted: ProbeAnswer = { verdict: "accepted", code: "accepted", controls };

/** Calls an unknown with one of these codes a death. */
const asDead =
  (...codes: readonly string[]): Probing =>
  async (right, _, request) => {
    const answer = await right.probe(request);
    return answer.verdict === "unknown" && codes.includes(answer.code) ? refused : answer;
  };

export const wrongAtProbe: readonly WrongIssuer[] = [
  wrongProbe(
    "probe says accepted without naming a control",
    "7.5 a live version is accepted, under a control",
    async (right, _, request) => ({ ...(await right.probe(request)), controls: [] }),
  ),
  wrongProbe(
    "probe believes the catalogue instead of logging in",
    "7.5 a wrong value is never accepted",
    (right, server, request) =>
      server.read(nameIn(request.handle))?.enabled === true ? Promise.resolve(accepted) : right.probe(request),
  ),
  wrongProbe(
    "probe says refused by a code that it does not declare",
    "7.5 an ended version is refused, by a code that means ended",
    async (right, _, request) => {
      const answer = await right.probe(request);
      return answer.verdict === "refused" ? { ...answer, code: "gone" } : answer;
    },
  ),
  wrongProbe(
    "probe cannot do without a version to compare",
    "7.5 without a version to compare, the connection's own login is the control",
    async (right, _, request) => {
      const answer = await right.probe(request);
      return request.control === undefined && answer.verdict === "refused" ? { ...answer, verdict: "unknown" } : answer;
    },
  ),
  wrongProbe(
    "probe takes the slot's life for the version's",
    "7.5 an ended version stays refused while a later one lives in its slot",
    async (right, server, request) => {
      const isLive = server.read(nameIn(request.handle))?.secret !== undefined;
      const answer = await right.probe(request);
      return isLive && answer.verdict === "refused" ? { ...answer, verdict: "unknown" } : answer;
    },
  ),
  wrongProbe(
    "probe says accepted without a wrong-value control",
    "7.5 where anything is accepted, nothing is proven",
    (right, server, request) =>
      !server.isDown && server.login(loginIn(request.value), secretIn(request.value)) === "ok"
        ? Promise.resolve(accepted)
        : right.probe(request),
  ),
  wrongProbe("probe says refused when the issuer is down", "7.5 an outage is unknown", (right, _, request) =>
    right.probe(request).catch((error: unknown) => {
      if (error instanceof RekeyError) return refused;
      throw error;
    }),
  ),
  wrongProbe("probe says refused on an access rule", "7.5 an access rule is unknown", asDead("not_allowed")),
  wrongProbe(
    "probe says refused when a rule stands in front of a living version",
    "7.5 a rule in front of a living version does not make it dead",
    asDead("not_allowed", "catalogue_says_live"),
  ),
  wrongProbe(
    "probe says refused when the connection limit is full",
    "7.5 a full connection limit is unknown",
    asDead("too_many"),
  ),
  wrongProbe("probe says refused on a lockout", "7.5 a lockout is unknown", async (right, server, request) =>
    server.lockedOut.has(loginIn(request.value)) ? Promise.resolve(refused) : right.probe(request),
  ),
  wrongProbe(
    "probe says refused without a live control",
    "7.5 a refusal without a live control is unknown",
    (right, _, { handle, value }) => right.probe({ handle, value }),
  ),
  wrongProbe(
    "probe does not ask the catalogue",
    "7.5 the catalogue must agree with a refusal",
    asDead("catalogue_says_live"),
  ),
  wrongProbe("probe takes disabled for dead", "7.5 disabled is not dead", async (right, server, request) =>
    server.read(nameIn(request.handle))?.enabled === false ? Promise.resolve(refused) : right.probe(request),
  ),
  wrongProbe(
    "probe tries wrong values on the login in use",
    "7.5 wrong values are not tried on a login in use",
    (right, server, request) => {
      if (request.control !== undefined) server.login(loginIn(request.control), "wrong");
      return right.probe(request);
    },
  ),
  wrongProbe("probe notes its time at the issuer", "7.5 a probe has no effect", (right, server, request) => {
    force(server, nameIn(request.handle), { limit: 100 });
    return right.probe(request);
  }),
  {
    name: "declares a shorter lag than it has",
    shape: "minted",
    caughtBy: "20 answers hold once the declared lag is over",
    twist: {
      definition: ({ facts }) => ({ facts: { ...facts, activationLagMs: 10, deactivationLagMs: 10 } }),
    },
  },
];
