import { routes, type RouteName } from "../../api/route-table.ts";
import type { TestAnswer, TestApi } from "./api.ts";

/** What each route with a body asks for at least, as far as its schema goes. */
const bodies: Partial<Record<RouteName, object>> = {
  applyManifests: { files: [{ name: "none.yaml", text: "" }] },
  deleteRegistered: { kind: "team", name: "none" },
  startInit: { question: {}, secret: "none", team: "none", environment: "none", credential: "none" },
  showGrants: { config: {} },
  moveCredential: { custody: "embedded" },
  registerConsumer: { files: [{ name: "none.yaml", text: "" }] },
  acknowledgeConsumer: { version: 1 },
  shareCredential: { team: "none" },
  unshareCredential: { team: "none" },
  approveGrant: { digest: "none" },
  refuseGrant: { reason: "none" },
  giveCommand: { command: { kind: "resume" } },
  declareFreeze: { reason: "none", until: "2099-01-01T00:00:00Z" },
  dismissProposal: { reason: "none" },
  checkLeaks: { values: ["none"] },
  declareEmergency: { credentials: ["none"], reason: "none" },
  releaseConsumer: { reason: "none" },
  createToken: { role: "metrics", expiresInMs: 60_000 },
};

export interface Least {
  /** In place of every parameter of the address. */
  readonly named?: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Besides what the route asks for at least, or in its place. */
  readonly body?: object | undefined;
}

/** Asks a route for as little as its schemas take, for something that is not there unless it is named. */
export function askLeast(
  api: TestApi,
  name: RouteName,
  { named = "none", query, body }: Least = {},
): Promise<TestAnswer> {
  const { method, path } = routes[name];
  const search = query === undefined ? "" : `?${new URLSearchParams(query).toString()}`;
  const sent = method === "GET" ? undefined : { ...bodies[name], ...body };
  return api.ask(method, path.replaceAll(/:\w+/g, encodeURIComponent(named)) + search, sent);
}
