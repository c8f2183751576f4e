import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { connection, consumer, credential, environment, everything, team } from "../test/harness/manifests.ts";
import { readManifests, refOf } from "./read-manifests.ts";

const read = (text: string) => readManifests([{ name: "rekey.yaml", text }]);

/** `line field: text` of each mistake. */
const said = (text: string) => read(text).issues.map((issue) => `${issue.line} ${issue.field}: ${issue.text}`);

describe("manifests that fit", () => {
  it("are read from one file, in the order in which they are applied", () => {
    const { manifests, issues } = read([consumer, credential, connection, environment, team].join("---\n"));
    expect(issues).toEqual([]);
    expect(manifests.map(({ manifest }) => refOf(manifest))).toEqual([
      "Team shop",
      "Environment prod",
      "Connection shop/main",
      "Credential shop/orders",
      "Consumer shop/web",
    ]);
  });

  it("may stand in several files, with empty documents between them", () => {
    const files = [
      { name: "a.yaml", text: `---\n# nothing\n---\n${team}` },
      { name: "b.yaml", text: environment },
    ];
    expect(readManifests(files)).toMatchObject({ issues: [], manifests: [{}, {}] });
  });

  it("turn durations into milliseconds", () => {
    const { manifests } = read(credential);
    expect(manifests[0]?.manifest).toMatchObject({ spec: { policy: { grace: 2_000, observeFor: 500 } } });
  });
});

describe("every mistake is said with file, line, field and what to write instead", () => {
  const mistakes: readonly (readonly [string, string, string])[] = [
    ["no mapping", "- a\n- b\n", "1 : must be a mapping with apiVersion, kind, metadata and spec."],
    ["no kind", "apiVersion: rekey/v1\n", "1 kind: is missing: write one of Team, Environment,"],
    ["an unknown kind", team.replace("Team", "Taem"), "2 kind: must be one of Team, Environment, Policy, Connection"],
    ["an unknown kind, with the one that was meant", team.replace("Team", "Taem"), "did you mean Team?"],
    ["another version", team.replace("rekey/v1", "rekey/v2"), "1 apiVersion: must be rekey/v1"],
    ["no version", team.replace("apiVersion: rekey/v1\n", ""), "apiVersion: is missing: write rekey/v1."],
    ["no metadata", "apiVersion: rekey/v1\nkind: Team\n", "metadata: is missing: it must be a mapping of fields."],
    ["a name with capitals", team.replace("name: shop", "name: Shop"), "3 metadata.name: must be lower-case letters"],
    ["a name that is a number", team.replace("name: shop", "name: 12"), "YAML reads this as a number: put it in quotes."],
    ["a field that does not exist", credential.replace("policy:", "polizy:"), "7 spec.polizy: is no field here; did you mean policy?"],
    ["a field of a policy", credential.replace("grace", "grase"), "7 spec.policy.grase: is no field here; did you mean grace?"],
    ["a field without any likeness", credential.replace("policy:", "wombat:"), "Fields here: issuer, connection, config, policy, owner, "],
    ["a duration without a unit", credential.replace("2s", "2"), "7 spec.policy.grace: must be a number with its unit"],
    ["a duration in an unknown unit", credential.replace("2s", "2weeks"), "must be a number with its unit, such as 500ms"],
    ["a duration beyond a year", credential.replace("2s", "900d"), "a year at most"],
    ["a wait that never looks", credential.replace("grace: 2s", "lookEvery: 0s"), "spec.policy.lookEvery: must be longer"],
    ["an unknown strength", credential.replace("observed", "obserfed"), "did you mean observed?"],
    ["a reference with two slashes", consumer.replace("orders", "a/b/c"), "5 spec.credential: must be a name, or team/name."],
    ["a list where fields belong", connection.replace("{ host: db.internal, user: rekey_admin }", "[a]"), "spec.config: must be a mapping"],
    ["a document given twice", `${team}---\n${team}`, "metadata.name: Team shop stands in rekey.yaml line 3 too; keep one."],
    ["an alias", "a: &x 1\nb: *x\n", "2 : is an alias (*name, also in <<: *name), which manifests do not have; write out what"],
    ["a merge key", `${team}---\na: &x { b: 1 }\nc: { <<: *x }\n`, "7 : is an alias"],
    ["a merge key without an alias", team.replace("{ contact:", "{ <<: { a: b }, contact:"), "spec: has a field that does not exist"],
    ["a name that a leading zero makes a number", team.replace("name: shop", "name: 007"), "YAML reads this as a number: put it in quotes."],
    ["a name that is true", team.replace("name: shop", "name: true"), "YAML reads this as a boolean: put it in quotes."],
    ["a name that is nothing", team.replace("name: shop", "name: ~"), "3 metadata.name: must be a text."],
    ["an empty file", "", "1 : holds no manifest. One begins with apiVersion: rekey/v1 and kind: one of Team, "],
    ["a file of comments", "# to do\n---\n# later\n", "1 : holds no manifest."],
    ["a text that is no YAML of ours", "Dear all,\n", "must be a mapping with apiVersion, kind, metadata and spec."],
    ["a tab", "kind: Team\n\tmetadata: {}\n", "is not valid YAML"],
    ["a field given twice", "kind: Team\nkind: Team\n", "2 : is not valid YAML: a field is given twice; keep one."],
    ["a bracket that never closes", "metadata: { name: x\n", "is not valid YAML"],
  ]; // prettier-ignore
  it.each(mistakes)("%s", (_, text, expected) => {
    expect(said(text).join("\n")).toContain(expected);
  });

  it("shows a word that is near no field by its line only", () => {
    const [issue] = read(credential.replace("policy:", "wombat:")).issues;
    expect(issue).toMatchObject({ line: 7, field: "spec" });
  });

  it("names the file and the line within a file of many documents", () => {
    const text = everything.replace("logins: [orders_a, orders_b] }", "logins: [orders_a] }\n  conection: x");
    const { issues } = readManifests([
      { name: "good.yaml", text: "" },
      { name: "bad.yaml", text },
    ]);
    const line = text.split("\n").findIndex((one) => one.includes("conection: x")) + 1;
    expect(issues).toMatchObject([{ file: "bad.yaml", line, column: 3, field: "spec.conection" }]);
  });

  it("says those of every document, a broken one between good ones too, at their own lines", () => {
    const broken = environment.replace("{ name: prod }", "{ name: prod");
    expect(
      said([team.replace("shop", "Shop"), broken, credential.replace("2s", "x"), "\tx: 1\n"].join("---\n")),
    ).toEqual([
      expect.stringMatching(/^3 metadata.name: must be lower-case letters/),
      expect.stringMatching(/^9 : is not valid YAML: .* a bracket or quote above is not closed/),
      expect.stringMatching(/^16 spec.policy.grace: must be a number with its unit/),
      expect.stringMatching(/^18 : is not valid YAML: a tab stands where YAML wants spaces/),
    ]);
  });

  it("takes words that older YAML reads as true and false for what they are", () => {
    const { manifests, issues } = read(
      ["on", "no", "yes"].map((word) => team.replace("name: shop", `name: ${word}`)).join("---\n"),
    );
    expect(issues).toEqual([]);
    expect(manifests.map(({ manifest }) => refOf(manifest))).toEqual(["Team on", "Team no", "Team yes"]);
  });

  it("refuses aliases that stand for a million values without making one of them", () => {
    const level = (at: number) => `a${at}: &a${at} [${Array.from({ length: 10 }, () => `*a${at - 1}`).join(", ")}]\n`;
    const levels = Array.from({ length: 30 }, (_, at) => level(at + 1)).join("");
    expect(said(`a0: &a0 x\n${levels}`)).toEqual([expect.stringMatching(/^2 : is an alias/)]);
  });

  it("says all of them at once", () => {
    expect(said([team.replace("Team", "Teem"), credential.replace("2s", "x")].join("---\n"))).toHaveLength(2);
  });
});

describe("invariant 6: a secret in a manifest", () => {
  const secret = randomBytes(12).toString("hex");
  const places: readonly (readonly [string, string])[] = [
    ["a field called password", connection.replace("  secretFrom: given", `  password: ${secret}`)],
    ["a field called apiKey", connection.replace("  secretFrom: given", `  apiKey: ${secret}`)],
    ["secretFrom itself", connection.replace("given", secret)],
    ["secretFrom as a mapping", connection.replace("given", `{ value: ${secret} }`)],
    ["a URL with a password", connection.replace("db.internal", `postgres://u:${secret}@db`)],
    ["a mapping where a name belongs", team.replace("name: shop", `name: { ${secret}: }`)],
    ["a name that is none", team.replace("name: shop", `name: "${secret}!"`)],
    ["a kind", team.replace("Team", secret)],
    ["YAML that is none", `password: "${secret}\n`],
    ["a field's place", team.replace("spec:", `x-${secret}-${secret}: 1\nspec:`)],
  ];
  it.each(places)("is refused and not repeated: %s", (_, text) => {
    const all = said(text);
    expect(all).not.toEqual([]);
    expect(all.join("\n")).not.toContain(secret);
  });

  it("is refused with the reason and the way to give it", () => {
    const [text = ""] = said(connection.replace("  secretFrom: given", `  password: ${secret}`));
    expect(text).toContain("would lie in files, backups and version control");
    expect(text).toContain("secretFrom: { env: NAME }");
  });
});
