import { readdirSync, readFileSync } from "node:fs";
import fastify from "fastify";
import { beforeAll, describe, expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { catalog } from "../providers/catalog.ts";
import { fakeCatalog } from "../test/harness/fake-catalog.ts";
import { everything } from "../test/harness/manifests.ts";
import type { Catalog } from "../providers/catalog.ts";
import { manifestJsonSchema } from "./json-schema.ts";
import { readManifests } from "./read-manifests.ts";

const folder = new URL("../examples/manifests/", import.meta.url);
const readExample = (name: string) => readFileSync(new URL(name, folder), "utf8");
const examples = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
const example = readExample("orders.yaml");

/** Fastify judges bodies by JSON Schemas of draft 7. As an editor does, it is to change nothing of what it judges. */
async function judge(from: Catalog): Promise<(text: string) => Promise<boolean>> {
  const customOptions = { coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors: true } as const;
  const app = fastify({ ajv: { customOptions } });
  app.post("/", { schema: { body: manifestJsonSchema(from) } }, () => "fits");
  await app.ready();
  return async (text) => {
    for (const document of parseAllDocuments(text)) {
      const { statusCode } = await app.inject({ method: "POST", url: "/", payload: document.toJS() as object });
      expect([200, 400]).toContain(statusCode);
      if (statusCode === 400) return false;
    }
    return true;
  };
}

const isFreeOfMistakes = (text: string) =>
  readManifests([{ name: "rekey.yaml", text: text.replaceAll(/secretFrom: \{.*\}/g, "secretFrom: given") }]).issues
    .length === 0;

describe("the JSON Schema of manifests", () => {
  let fits: (text: string) => Promise<boolean>;
  beforeAll(async () => (fits = await judge(catalog)));

  it.each(examples)("takes the example %s, which names it for editors", async (name) => {
    expect(await fits(readExample(name))).toBe(true);
    // Each document: a language server looks for it in the head of each.
    for (const document of readExample(name).split(/^---\n/m))
      expect(document).toMatch(/^# yaml-language-server: \$schema=\.\.\/\.\.\/docs\/manifests\.schema\.json\n/);
  });

  it.each([
    ["another apiVersion", "apiVersion: rekey/v1", "apiVersion: rekey/v2"],
    ["a kind that there is not", "kind: Team", "kind: Teem"],
    ["a missing name", "  name: shop\n", ""],
    ["a name that is none", "name: production", "name: Production"],
    ["a field that is none", "contact:", "contakt:"],
    ["a policy's duration without its unit", "grace: 15m", "grace: '15'"],
    ["a policy's field that is none", "grace: 15m", "grase: 15m"],
    ["a missing spec", "spec:\n  kind: postgres-role", "spek:\n  kind: postgres-role"],
    ["a missing reference", "  connection: shop/orders-db\n", ""],
  ])("refuses, as `rekey apply` does, %s", async (_, right, wrong) => {
    const text = example.replace(right, wrong);
    expect(text).not.toBe(example);
    expect(isFreeOfMistakes(example)).toBe(true);
    expect(isFreeOfMistakes(text)).toBe(false);
    expect(await fits(text)).toBe(false);
  });

  it.each([
    ["a connection's field that is none", "    user: rekey_admin", "    usr: rekey_admin"],
    ["a connection's missing field", "    host: db.example.com\n", ""],
    ["a kind of issuer that there is not", "  kind: postgres-role", "  kind: postgres-rule"],
    ["a credential's field that is none", "    logins: [", "    login: ["],
    ["a credential's kind that there is not", "issuer: postgres-role", "issuer: postgres-rule"],
    ["a kind of consumer that there is not", "  kind: file", "  kind: files"],
    ["a consumer's format that there is not", "format: dotenv", "format: dotenf"],
    ["a kind of evidence that there is not", "    sessions:", "    session:"],
    ["a plain secret", "secretFrom: { file: /etc/rekey/orders-admin-password }", "secretFrom: plain"],
    ["the word that only the command line sends", "{ file: /etc/rekey/orders-admin-password }", "given"],
    ["two sources of one secret", "{ file: /etc", "{ env: NAME, file: /etc"],
  ])("refuses what a provider or the command line would: %s", async (_, right, wrong) => {
    const text = example.replace(right, wrong);
    expect(text).not.toBe(example);
    expect(await fits(text)).toBe(false);
  });

  it("takes what may be written otherwise: no issuer, one login, a secret by its fields", async () => {
    expect(await fits(example.replace("  issuer: postgres-role\n", ""))).toBe(true);
    expect(await fits(example.replace(/ {4}owner: .*\n {4}logins: .*\n/, "    login: orders\n"))).toBe(true);
    expect(await fits(example.replace(/secretFrom: (\{.*\})/, "secretFrom: { password: $1 }"))).toBe(true);
    expect(await fits(example.replace(/secretFrom: \{.*\}/, "secretFrom: { stdin: true }"))).toBe(true);
  });

  it("knows the kinds of any catalog, and of no other", async () => {
    const fitsFake = await judge(fakeCatalog);
    expect(await fitsFake(everything.replace("given", "{ env: NAME }"))).toBe(true);
    expect(await fitsFake(example)).toBe(false);
  });
});
