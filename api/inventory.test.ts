import { randomBytes } from "node:crypto";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { applyText } from "../test/harness/apply-text.ts";
import { withLedger } from "../test/harness/ledger.ts";
import { connectionIndex, credential, everything, team } from "../test/harness/manifests.ts";

let api: TestApi;
beforeAll(async () => {
  api = await withApi(await withLedger());
  await applyText(api, everything, { [connectionIndex]: randomBytes(12).toString("hex") });
});
afterAll(() => api.app.close());

const withSpec = (fields: string) => credential.replace("spec:\n", `spec:\n${fields}`);
const labelled = (text: string, metadata: string) =>
  text.replace(/metadata: \{ (.*) \}/, `metadata: { $1, ${metadata} }`);

async function issues(text: string): Promise<readonly string[]> {
  const { json } = await api.ask("POST", "/manifests/apply", { files: [{ name: "a.yaml", text, secrets: {} }] });
  return ((json["issues"] ?? []) as readonly { field: string; text: string }[]).map(
    (one) => `${one.field} ${one.text}`,
  );
}

describe("what a credential says of itself", () => {
  const said = `  owner: shop
  backupOwner: shop
  criticality: high
  scopes: [orders read, orders write]
  expiresAt: 2027-03-31
  readers: [backup, Vendor GmbH]
`;

  it("is stored and shown, and no rotation follows from it", async () => {
    const [item] = await applyText(api, withSpec(said));
    expect(item).toMatchObject({ action: "change", notes: [] });
    expect((await api.ask("GET", "/credentials/shop%2Forders")).json["inventory"]).toEqual({
      owner: "shop",
      backupOwner: "shop",
      criticality: "high",
      scopes: ["orders read", "orders write"],
      expiresAt: "2027-03-31",
      readers: ["backup", "Vendor GmbH"],
    });
    expect(await applyText(api, withSpec(said))).toMatchObject([{ action: "unchanged" }]);
  });

  it.each([
    ["an owner that is no team", "owner: shopp", "spec.owner names no team that exists; add a Team manifest for it."],
    ["a criticality that is none", "criticality: hihg", "did you mean high?"],
    ["a day that is none", "expiresAt: 2027-02-30", "spec.expiresAt must be a day such as 2027-03-31"],
    ["a time without its zone", "expiresAt: 2027-03-31T12:00:00", "or a time with its zone"],
    ["a day in another order", "expiresAt: 31.03.2027", "spec.expiresAt must be a day such as 2027-03-31"],
    ["one reader for a list", "readers: backup", "spec.readers must be a list."],
    ["one reader twice", "readers: [backup, backup]", "spec.readers must name each once."],
    ["a scope without a name", "scopes: ['']", "spec.scopes.0 must name a scope."],
  ])("is refused with what to write: %s", async (_, field, expected) => {
    expect((await issues(withSpec(`  ${field}\n`))).join("\n")).toContain(expected);
  });

  it("keeps its owner from being deleted", async () => {
    await applyText(api, team.replace("name: shop", "name: press"));
    await applyText(api, withSpec("  owner: press\n"));
    const { json } = await api.ask("POST", "/manifests/delete", { kind: "team", name: "press" });
    expect(json["detail"]).toBe(
      "It is owner of Credential shop/orders. Name another owner there and apply that first.",
    );
  });
});

describe("labels and annotations", () => {
  it("belong to any kind, change nothing else of it, and stand in the audit trail", async () => {
    const before = await revisions();
    const items = await applyText(
      api,
      everything
        .split("---\n")
        .map((one) => labelled(one, "labels: { tier: gold }, annotations: { example.com/note: any text! }"))
        .join("---\n")
        .replace("  secretFrom: given\n", ""),
    );
    expect(items.map(({ ref, action, changes }) => [ref, action, changes.length > 1])).toEqual([
      ["Team shop", "change", true],
      ["Environment prod", "change", true],
      ["Connection shop/main", "change", true],
      ["Credential shop/orders", "change", true],
      ["Consumer shop/web", "change", true],
    ]);
    expect(items[2]).toMatchObject({
      changes: [
        { field: "metadata.annotations.example.com/note", from: null, to: "any text!" },
        { field: "metadata.labels.tier", from: null, to: "gold" },
      ],
      notes: [],
    });
    expect(await revisions()).toEqual({ ...before, credential: before.credential + 1 });
    const { rows } = (await api.ask("GET", "/audit?limit=1")).json as { rows: readonly { action: string }[] };
    expect(rows).toMatchObject([{ action: "consumer.changed", details: { changes: [{}, {}] } }]);
    expect((await api.ask("GET", "/credentials/orders")).json).toMatchObject({
      labels: { tier: "gold" },
      annotations: { "example.com/note": "any text!" },
    });
  });

  it("are gone when the manifest has none", async () => {
    const [item] = await applyText(api, labelled(team, "labels: {}"));
    expect(item?.changes).toContainEqual({ field: "metadata.labels.tier", from: "gold", to: null });
  });

  it.each([
    ["a key that is none", "labels: { 'a b': x }", "metadata.labels must have keys of letters, digits"],
    ["a value that is none", "labels: { tier: 'very good' }", "metadata.labels.tier must be empty, or letters"],
    ["a number", "labels: { tier: 1 }", "YAML reads this as a number: put it in quotes."],
    ["a word that YAML reads otherwise", "labels: { tier: true }", "YAML reads this as a boolean: put it in quotes."],
    ["a list", "labels: [gold]", "metadata.labels must be a mapping of fields."],
    ["an annotation's key that is none", "annotations: { -x: y }", "metadata.annotations must have keys"],
  ])("are refused with what to write: %s", async (_, metadata, expected) => {
    expect((await issues(labelled(team, metadata))).join("\n")).toContain(expected);
  });

  it("select credentials as kubectl does", async () => {
    const count = async (labels: string) => {
      const { status, json } = await api.ask("GET", `/credentials?labels=${encodeURIComponent(labels)}`);
      return status === 200 ? (json["credentials"] as readonly unknown[]).length : json["detail"];
    };
    await applyText(api, labelled(credential, "labels: { tier: gold, env: prod }"));
    const fit = ["tier=gold", "tier==gold,env=prod", "tier", "region!=eu", "!region"];
    expect(await Promise.all(fit.map(count))).toEqual(fit.map(() => 1));
    const unfit = ["tier=silver", "tier=gold,env=test", "region", "tier!=gold", "!tier", "region="];
    expect(await Promise.all(unfit.map(count))).toEqual(unfit.map(() => 0));
    expect(await count("tier in (gold)")).toContain("Write them as kubectl takes them");
  });
});

async function revisions(): Promise<{ connection: number; credential: number; consumer: number }> {
  const { rows } = await sql<{ connection: number; credential: number; consumer: number }>`
    SELECT (SELECT revision FROM connections) AS connection, (SELECT revision FROM credentials) AS credential,
      (SELECT revision FROM consumers) AS consumer`.execute(api.deps.ledger.db);
  return rows[0] ?? { connection: 0, credential: 0, consumer: 0 };
}
