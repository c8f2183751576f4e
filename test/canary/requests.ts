import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import type { Route } from "../../api/route.ts";
import { apiPrefix, routes, type Request, type RouteName } from "../../api/route-table.ts";
import type { ProductRun } from "./product-run.ts";
import { wrongManifests } from "./wrong-manifests.ts";

/** One request and all that came back, headers too. */
export interface Asked {
  readonly name: string;
  readonly status: number;
  readonly answer: string;
}

interface Sent {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

type Ask = (name: string, sent: Sent) => Promise<Asked>;

/** Not `fetch`, which sends no foreign host. */
function asker(port: number, token: string): Ask {
  return async (name, { method = "GET", path, headers = {}, body }) => {
    const { promise, resolve, reject } = Promise.withResolvers<Asked>();
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const all = { authorization: `Bearer ${token}`, ...type, ...headers };
    const sent = request({ host: "127.0.0.1", port, method, path: `${apiPrefix}${path}`, headers: all }, (response) => {
      let text = `${response.statusMessage ?? ""}\n${JSON.stringify(response.rawHeaders)}\n`;
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("end", () => resolve({ name, status: response.statusCode ?? 0, answer: text }));
    });
    sent.on("error", reject);
    sent.end(body);
    return promise;
  };
}

async function askerOf({ home }: ProductRun): Promise<Ask> {
  const { address } = JSON.parse(await readFile(join(home, "up.json"), "utf8")) as { readonly address: string };
  return asker(Number(new URL(address).port), (await readFile(join(home, "token"), "utf8")).trim());
}

interface Parts {
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

const pathOf = (route: Route, params: Readonly<Record<string, string>> = {}) =>
  route.path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? "none"));

const names = Object.keys(routes) as RouteName[];

/** One that is refused at the end: nothing of the run changes by it. */
const askedFor = JSON.stringify({
  apiVersion: "rekey/v1",
  kind: "Consumer",
  metadata: { name: "asked", team: "shop" },
  spec: {
    credential: "orders",
    kind: "file",
    config: { path: "/nowhere/asked.env", keys: { DB_PASSWORD: "password" } },
  },
});

/** Every route of the table, as a client that means well asks. */
export async function askRightly(
  run: ProductRun,
  { rotation, check, reason }: { readonly rotation: string; readonly check: string; readonly reason: string },
): Promise<readonly Asked[]> {
  const ask = await askerOf(run);
  const credential = { credential: "shop/orders" };
  const demand = { versions: [999_999], suspects: ["shop/shop"] };
  const manifests = {
    name: "manifests.yaml",
    text: (await readFile(run.files.manifests, "utf8")).replaceAll(/secretFrom:\n +file: .*/g, "secretFrom: given"),
    secrets: { "2": run.login.adminPassword, "5": run.told.signing, "6": run.told.slack },
  };
  const requests: { readonly [N in RouteName]: Request<N> } = {
    health: {},
    applyManifests: { body: { files: [manifests] } },
    exportManifests: { query: {} },
    deleteRegistered: { body: { kind: "consumer", name: "shop/shop" } },
    showManifestSchema: {},
    showGrants: {
      params: { name: "kubernetes" },
      body: { config: { namespace: "shop", secret: "orders", keys: { DB_USER: "username" } } },
    },
    startInit: {
      params: { name: "postgres" },
      body: {
        question: { connection: { host: "127.0.0.1", port: 1, database: "orders", user: "orders" }, role: "orders" },
        secret: run.login.adminPassword,
        team: "shop",
        environment: "canary",
        credential: "another",
        consumer: { path: "/nowhere/another.env", keys: { DB_PASSWORD: "password" } },
      },
    },
    listCredentials: { query: {} },
    showCredential: { params: credential },
    adoptCredential: { params: credential, body: { secret: run.login.adminPassword, fields: {} } },
    moveCredential: { params: credential, body: { custody: "nowhere" } },
    listConsumers: { query: {} },
    showConsumer: { params: { consumer: "shop/shop" }, query: {} },
    testConsumer: { params: { consumer: "shop/shop" }, body: {} },
    listProposals: { query: {} },
    showProposal: { params: { proposal: "prp_none" } },
    dismissProposal: { params: { proposal: "prp_none" }, body: { reason } },
    registerConsumer: { body: { files: [{ name: "asked.yaml", text: askedFor }] } },
    retireConsumer: { params: { consumer: "shop/none" }, body: {} },
    acknowledgeConsumer: { params: { consumer: "shop/shop" }, body: { version: 1_000 } },
    shareCredential: { params: credential, body: { team: "shop" } },
    unshareCredential: { params: credential, body: { team: "shop" } },
    listGrants: { query: {} },
    showGrant: { params: { grant: "none" } },
    approveGrant: { params: { grant: "none" }, body: { digest: "none", reason } },
    refuseGrant: { params: { grant: "none" }, body: { reason } },
    withdrawGrant: { params: { grant: "none" } },
    planRotation: { params: credential },
    reserveRotation: { params: credential, body: { reason } },
    previewEmergency: { body: { ...demand, credentials: ["shop/orders"] } },
    // Nothing of it is alive under that number: what the run goes on to do is not disturbed.
    declareEmergency: { body: { ...demand, credentials: ["shop/orders"], reason } },
    listEmergencies: { query: {} },
    releaseConsumer: { params: { consumer: "shop/shop" }, body: { reason } },
    startDoctor: {},
    showDoctor: { params: { check } },
    recordKeyCopy: {},
    showCheck: { params: { check } },
    listRotations: { query: {} },
    showRotation: { params: { rotation } },
    giveCommand: { params: { rotation }, body: { command: { kind: "pause" }, reason } },
    requestReceipt: { params: { rotation } },
    showAuditKeys: {},
    listAudit: { query: { limit: 500 } },
    verifyAudit: { body: {} },
    checkLeaks: {
      body: { values: [run.login.password, `postgres://x:${encodeURIComponent(run.login.adminPassword)}@h`] },
    },
    explainPolicy: { params: credential },
    showCalendar: { query: {} },
    listFreezes: {},
    declareFreeze: { body: { team: "shop", reason, until: "2099-01-01T00:00:00Z" } },
    endFreeze: { params: { freeze: "frz_none" }, body: {} },
    showStatus: {},
    showMetrics: {},
    createToken: { body: { role: "metrics", expiresInMs: 60_000 } },
    listTokens: { query: {} },
    revokeToken: { params: { token: "none" } },
    listNotices: { query: {} },
    showNotice: { params: { notice: "shop/hooks" } },
    listNoticeDeliveries: { params: { notice: "shop/hooks" }, query: {} },
    testNotice: { params: { notice: "shop/hooks" } },
  };
  const asked: Asked[] = [];
  for (const name of names) {
    if (name === "revokeToken") requests.revokeToken.params.token = madeBy("createToken", asked);
    if (name === "endFreeze") requests.endFreeze.params.freeze = madeBy("declareFreeze", asked);
    if (name === "showGrant" || name === "approveGrant" || name === "refuseGrant")
      requests[name].params.grant = madeBy("registerConsumer", asked);
    if (name === "showDoctor") requests.showDoctor.params.check = startedBy(asked.at(-1));
    const { params, body }: Parts = requests[name];
    const { method } = routes[name];
    const path = pathOf(routes[name], params);
    asked.push(await ask(name, { method, path, ...(body === undefined ? {} : { body: JSON.stringify(body) }) }));
  }
  const resume = JSON.stringify({ command: { kind: "resume" } });
  asked.push(await ask("resume", { method: "POST", path: `/rotations/${rotation}/commands`, body: resume }));
  return [...asked, await ask("openapi", { path: "/openapi.json" })];
}

/** The check that an answer names. */
const startedBy = (one: Asked | undefined): string => /"checkId":"(\w+)"/.exec(one?.answer ?? "")?.[1] ?? "";

/** What one of these requests made; of a token, never the one that is asked with. */
const madeBy = (route: RouteName, asked: readonly Asked[]): string =>
  /"(?:id|freezeId)":"(\w+)"/.exec(asked.find(({ name }) => name === route)?.answer ?? "")?.[1] ?? "";

/** A secret in every place of every route where none belongs. No answer may repeat it. */
export async function askWrongly(run: ProductRun, secrets: readonly string[]): Promise<readonly Asked[]> {
  const ask = await askerOf(run);
  const asked: Asked[] = [];
  for (const secret of secrets) {
    for (const name of names) for (const sent of wrongly(routes[name], secret)) asked.push(await ask(name, sent));
    const encoded = encodeURIComponent(secret);
    asked.push(await ask("no route", { method: "DELETE", path: `/${encoded}` }));
    asked.push(await ask("no route", { path: `/credentials/${encoded}/${encoded}?password=${encoded}` }));
    asked.push(await ask("no escape", { path: `/credentials/%zz${encoded}` }));
    asked.push(await ask("too long", { path: `/credentials/${encoded.repeat(9)}` }));
    asked.push(await ask("token", { path: "/credentials", headers: { authorization: `Bearer ${encoded}` } }));
    asked.push(await ask("scheme", { path: "/credentials", headers: { authorization: encoded } }));
    asked.push(await ask("host", { path: "/credentials", headers: { host: encoded } }));
    for (const [place, text] of Object.entries(wrongManifests(secret))) {
      const body = JSON.stringify({ files: [{ name: "wrong.yaml", text }] });
      asked.push(await ask(`manifest: ${place}`, { method: "POST", path: "/manifests/apply", body }));
    }
  }
  return asked;
}

function wrongly(route: Route, secret: string): readonly Sent[] {
  const { method } = route;
  const path = pathOf(route);
  const encoded = encodeURIComponent(secret);
  const json = JSON.stringify(secret);
  const inPath = route.params === undefined ? [] : [{ method, path: route.path.replaceAll(/:\w+/g, encoded) }];
  const fields = [...Object.keys(route.query?.shape ?? {}), "zzz", encoded];
  const inQuery = fields.map((field) => ({ method, path: `${path}?${field}=${encoded}` }));
  if (route.method === "GET") return [...inPath, ...inQuery];
  const bodies = [
    ...Object.keys(route.body?.shape ?? {})
      // A person's own words are stored as they are.
      .filter((field) => field !== "reason")
      .flatMap((field) => [
        `{"${field}":${json}}`,
        `{"${field}":{${json}:${json}}}`,
        `{"${field}":[{"kind":${json}}]}`,
      ]),
    `{${json}:${json}}`,
    json,
    `{"password":${json}`,
    `{"a":1,"a":nope${secret}}`,
  ];
  return [
    ...inPath,
    ...inQuery,
    ...bodies.map((body) => ({ method, path, body })),
    { method, path, body: secret, headers: { "content-type": `text/${encoded.slice(0, 40)}` } },
  ];
}
