import { beforeAll, describe, expect, it } from "vitest";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { adopted } from "../test/harness/api-rows.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { connection, consumer, credential, environment, everything, team } from "../test/harness/manifests.ts";
import type { Route } from "./route.ts";
import { routes } from "./route-table.ts";

let api: TestApi;
let ref: string;

beforeAll(async () => {
  api = await withApi(await withLedger());
  ref = await adopted(api);
});

const unstorable = [
  ["a NUL", "\u0000"],
  ["a NUL in a word", "shop/a\u0000b"],
  ["half a character", "a\ud800b"],
] as const;

/** A request that fits the route. */
function fitting(route: Route) {
  const params: Record<string, unknown> = {};
  for (const name of Object.keys(route.params?.shape ?? {})) params[name] = ref;
  return { params, query: {} as Record<string, unknown>, body: bodies[route.path] };
}

const bodies: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  "/manifests/apply": { files: [{ name: "rekey.yaml", text: everything, secrets: {} }], planDigest: "x" },
  "/credentials/:credential/adopt": { secret: "x", fields: { username: "orders_a" } },
  "/credentials/:credential/rotate": { reason: "due" },
  "/rotations/:rotation/commands": {
    command: { kind: "decide", holdId: "x", decision: "accept", gaps: ["x"] },
    reason: "",
  },
  "/audit/verify": {
    anchor: { instance: "x", position: 1, lastAuditId: 1, hash: "x", sealedAt: "x", signature: "x", keyId: "x" },
  },
};

/** The content once for each text in it, names of fields that a caller chooses included, with that one replaced. */
function* replaced(content: unknown, by: string): Generator {
  if (typeof content === "string") yield by;
  if (typeof content !== "object" || content === null) return;
  for (const [name, part] of Object.entries(content))
    for (const other of replaced(part, by))
      yield Array.isArray(content) ? content.with(Number(name), other) : { ...content, [name]: other };
}

async function answers(route: Route, { params, query, body }: ReturnType<typeof fitting>) {
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => encoded(String(params[name])));
  const search = Object.entries(query).map(([name, text]) => `${name}=${encoded(String(text))}`);
  const { status, json } = await api.ask(route.method, `${path}?${search.join("&")}`, body);
  return { at: `${route.method} ${path} ${search.join("&")} ${JSON.stringify(body)}`, status, code: json["code"] };
}

/** A lone surrogate cannot be written in an address: what stands for it there is refused as well. */
const encoded = (text: string) => encodeURIComponent(text.toWellFormed());

describe.each(unstorable)("%s in a request", (_, text) => {
  const all = Object.entries(routes as Readonly<Record<string, Route>>).filter(([name]) => name !== "health");
  it.each(all)("is refused by %s wherever a text can stand", async (_name, route) => {
    const fit = fitting(route);
    for (const name of Object.keys(fit.params)) {
      const { at, status } = await answers(route, { ...fit, params: { ...fit.params, [name]: text } });
      expect([at, Math.floor(status / 100)]).toEqual([at, 4]);
    }
    for (const name of Object.keys(route.query?.shape ?? {})) {
      const { at, status } = await answers(route, { ...fit, query: { [name]: text } });
      // What stands for half a character in an address is a character like any other.
      expect([at, text.isWellFormed() ? Math.floor(status / 100) : 4]).toEqual([at, 4]);
    }
    for (const body of replaced(fit.body, text)) {
      const { at, status, code } = await answers(route, { ...fit, body: body as Record<string, unknown> });
      expect([at, status, code]).toEqual([at, 400, "request_invalid"]);
    }
  });
});

const escapes = ["\\0", "a\\0b", "\\ud800", "a\\udc00b"];

describe.each(escapes)("%s in a manifest", (escape) => {
  const wrong = [
    ["a contact", team.replace('"#shop"', `"${escape}"`)],
    ["a name", environment.replace("prod", `"${escape}"`)],
    ["a setting", connection.replace("db.internal", `"${escape}"`).replace("  secretFrom: given\n", "")],
    ["a login", credential.replace("orders_b", `"${escape}"`)],
    ["a path", consumer.replace("/srv/web.env", `"/srv/${escape}"`)],
    ["a field's name", consumer.replace("DB_PASSWORD", `"${escape}"`)],
  ] as const;
  it.each(wrong)("is refused in %s, with its line", async (_, text) => {
    const body = { files: [{ name: "rekey.yaml", text }] };
    const { status, json } = await api.ask("POST", "/manifests/apply", body);
    expect([status, json["code"]]).toEqual([422, "manifest_invalid"]);
    const line = text.split("\n").findIndex((one) => one.includes(escape)) + 1;
    expect(json["issues"]).toEqual([
      expect.objectContaining({ line, text: expect.stringContaining("a character that cannot be stored") }),
    ]);
    expect(JSON.stringify(json)).not.toContain(escape);
  });
});
