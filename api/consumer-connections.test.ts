import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { beforeAll, describe, expect, it } from "vitest";
import { connectionSecretRef, type ConnectionSecretRow } from "../custody/refs.ts";
import type { Catalog } from "../providers/catalog.ts";
import { webhook } from "../providers/consumers/webhook/definition.ts";
import { revealField } from "../providers/contract/value.ts";
import { platform } from "../providers/evidence/platform/definition.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { fakeCatalog } from "../test/harness/fake-catalog.ts";
import { fakeSecret } from "../test/harness/fake-cluster.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { connectionIndex, everything } from "../test/harness/manifests.ts";

const clustered: Catalog = {
  ...fakeCatalog,
  consumers: { ...fakeCatalog.consumers, [fakeSecret.kind]: fakeSecret, [webhook.kind]: webhook },
  collectors: { ...fakeCatalog.collectors, [platform.kind]: platform },
};

const cluster = `apiVersion: rekey/v1
kind: Connection
metadata: { name: cluster, team: shop, environment: prod }
spec:
  kind: fake-cluster
  config: { folder: /srv/cluster, spaces: { shop: [web] } }
  secretFrom: given
`;

const pods = `apiVersion: rekey/v1
kind: Consumer
metadata: { name: pods, team: shop }
spec:
  credential: orders
  kind: fake-secret
  connection: cluster
  config: { space: web, secret: orders, keys: { DB_PASSWORD: password } }
`;

const both = `${cluster}---\n${pods}`;
const silent = cluster.replace("  secretFrom: given\n", "");

interface Item {
  readonly ref: string;
  readonly action: string;
  readonly changes: readonly { readonly field: string; readonly to: unknown }[];
  readonly notes: readonly string[];
}

let api: TestApi;
let token: string;

async function plan(text: string, secrets: Record<number, string> = {}) {
  const body = { files: [{ name: "rekey.yaml", text, secrets }] };
  return { body, ...(await api.ask("POST", "/manifests/apply", body)) };
}

async function apply(text: string, secrets: Record<number, string> = {}): Promise<readonly Item[]> {
  const { body, json, text: said } = await plan(text, secrets);
  const applied = await api.ask("POST", "/manifests/apply", { ...body, planDigest: json["digest"] });
  if (applied.status !== 200) throw new Error(`${said}\n${applied.text}`);
  return json["items"] as readonly Item[];
}

async function mistakes(text: string): Promise<string> {
  const { status, json } = await plan(text);
  expect(status).toBe(422);
  return (json["issues"] as { field: string; text: string }[])
    .map(({ field, text: said }) => `${field}: ${said}`)
    .join("\n");
}

beforeAll(async () => {
  api = await withApi(await withLedger(), clustered);
  token = randomBytes(12).toString("hex");
  await apply(everything, { [connectionIndex]: randomBytes(12).toString("hex") });
});

describe("a consumer that is reached over a connection", () => {
  it("is registered with it, is given evidence of its platform, and the secret goes into custody", async () => {
    const [connection, consumer] = await apply(both, { 0: token });
    expect(connection).toMatchObject({ action: "create", notes: ["Its secret goes into custody."] });
    expect(consumer?.changes).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ field: "spec.connection", to: "shop/cluster" }),
        expect.objectContaining({ field: "spec.evidence.platform.instances", to: 1 }),
      ]),
    );
    const { rows } = await sql<ConnectionSecretRow>`SELECT * FROM connections WHERE name = 'cluster'`.execute(
      api.deps.ledger.db,
    );
    const [row] = rows;
    if (row === undefined) throw new Error("no connection");
    const held = await api.custody.get(connectionSecretRef(row, api.deps.instance));
    expect(revealField(held ?? {}, "token")).toBe(token);
    // An edit behind our back, of where the secret is sent, does not open it.
    const moved = { ...row, settings: { ...(row.settings as object), folder: "/srv/other" } };
    await expect(api.custody.get(connectionSecretRef(moved, api.deps.instance))).rejects.toMatchObject({
      code: "custody_unreadable",
    });
  });

  it("changes nothing the second time, and comes back from an export as it is", async () => {
    expect((await apply(both, { 0: token })).map(({ action }) => action)).toEqual(["unchanged", "unchanged"]);
    const { json } = await api.ask("GET", "/manifests");
    const texts = (json["manifests"] as { text: string }[]).map(({ text }) => text);
    expect(texts.join("---\n")).toContain("connection: shop/cluster");
    expect(texts.join("---\n")).not.toContain(token);
    expect((await apply(texts.join("---\n"))).every(({ action }) => action === "unchanged")).toBe(true);
  });

  it("is shown with it by the credential and by the plan of a rotation", async () => {
    const { json: shown } = await api.ask("GET", "/credentials/shop%2Forders");
    expect(shown["consumerList"]).toMatchObject([
      { ref: "shop/pods", connection: { ref: "shop/cluster", hasSecret: true }, wanted: "observed" },
      { ref: "shop/web", connection: null },
    ]);
    const { json: planned } = await api.ask("GET", "/credentials/shop%2Forders/plan");
    expect(planned["consumers"]).toMatchObject([
      { connection: "shop/cluster", target: "fake-secret:/srv/cluster/web/orders", canGive: ["observed", "delivered"] },
      { connection: null },
    ]);
  });

  it("shares its target with another that writes the same place, over another connection to the same system too", async () => {
    const second = cluster.replace("name: cluster", "name: second");
    const other = pods.replace("name: pods", "name: others").replace("connection: cluster", "connection: second");
    const { text: refused } = await plan(`${second}---\n${other}`, { 0: token });
    expect(refused).toContain("which consumer shop/pods of credential shop/orders writes");
    await apply(`${second}---\n${other.replace("keys: { ", "keys: { OWN_")}`, { 0: token });
    const { rows } = await sql`SELECT FROM targets WHERE target LIKE 'fake-secret:%'`.execute(api.deps.ledger.db);
    expect(rows).toHaveLength(1);
  });

  it("keeps its connection from being deleted", async () => {
    const { status, json } = await api.ask("POST", "/manifests/delete", { kind: "connection", name: "cluster" });
    expect([status, json["detail"]]).toEqual([
      409,
      "Consumer shop/pods uses it. Delete that first: rekey delete consumer shop/pods.",
    ]);
  });
});

describe("mistakes about a consumer's connection", () => {
  it.each([
    ["none is named", "  connection: cluster\n", "", "spec.connection: is missing: a fake-secret is reached over a connection of kind fake-cluster."],
    ["a name that is not there", "connection: cluster", "connection: clutser", "Did you mean shop/cluster?"],
    ["one of another kind", "connection: cluster", "connection: main", "is a connection of kind fake-db; a fake-secret is reached over one of kind fake-cluster."],
    ["a place that the connection does not allow", "space: web", "space: bank", "spec.config: is not what the connection allows. Add bank to the connection's spaces of team shop."],
    ["a connection that is of no use", "kind: fake-secret", "kind: fake-place", "spec.connection: is of no use: a fake-place is reached without a connection. Remove it."],
    ["evidence of instances that nobody shows", "password } }", "password }, pods: false }\n  evidence: { platform: {} }", "spec.evidence.platform: asks which instances run"],
  ])("%s", async (_, from, to, said) => {
    const text = to.includes("fake-place")
      ? pods.replace(from, to).replace("space: web, secret: orders", "path: /srv/pods.env")
      : pods.replace(from, to);
    expect(text).not.toBe(pods);
    expect(await mistakes(text)).toContain(said);
  }); // prettier-ignore

  it("one of another environment, or a credential over one that only consumers use", async () => {
    const elsewhere = `apiVersion: rekey/v1\nkind: Environment\nmetadata: { name: test }\n---\n${silent.replace("name: cluster", "name: lab").replace("environment: prod", "environment: test")}`;
    const text = `${elsewhere}---\n${pods.replace("name: pods", "name: lab").replace("connection: cluster", "connection: lab")}`;
    expect(await mistakes(text)).toContain("spec.connection: belongs to test, and the credential to prod.");
    const credential = `apiVersion: rekey/v1\nkind: Credential\nmetadata: { name: other, team: shop, environment: prod }\nspec: { connection: cluster, config: { logins: [a_1] } }\n`;
    expect(await mistakes(credential)).toContain(
      "is a connection of kind fake-cluster, where no credential can be rotated",
    );
  });

  it("a connection cannot be led elsewhere under its consumers; narrowed, it says who is given nothing any more", async () => {
    expect(await mistakes(silent.replace("/srv/cluster", "/srv/other"))).toContain(
      "spec.config: would lead Consumer shop/pods from fake-secret:/srv/cluster/web/orders to fake-secret:/srv/other/web/orders.",
    );
    const [item] = await apply(cluster.replace("[web]", "[bank]"), { 0: token });
    expect(item?.notes).toContain(
      "Consumer shop/pods is given nothing any more. Add web to the connection's spaces of team shop.",
    );
  });
});

it("is refused where a kind that is only told of versions asks for no evidence", async () => {
  const endpoint = cluster
    .replace("name: cluster", "name: endpoint")
    .replace("fake-cluster", "webhook")
    .replace(/config: .*/, "config: { url: 'https://reports.example.com/rekey', teams: [shop] }");
  const told = pods
    .replace("name: pods", "name: told")
    .replace("fake-secret", "webhook")
    .replace("connection: cluster", "connection: endpoint")
    .replace(/config: .*/, "config: { topic: orders }");
  const refused = await plan(`${endpoint}---\n${told}`, { 0: randomBytes(32).toString("base64") });
  expect([refused.status, refused.text]).toEqual([422, expect.stringContaining("A webhook is only told of versions")]);
  const asked = `${told}  evidence: { platform: { instances: 1 } }\n`;
  expect((await plan(`${endpoint}---\n${asked}`)).text).toContain("does not show them");
});
