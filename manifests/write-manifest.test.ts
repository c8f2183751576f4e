import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { findPlainSecrets } from "./plain-secrets.ts";
import { readManifests } from "./read-manifests.ts";
import type { Manifest } from "./schemas.ts";
import { writeManifest } from "./write-manifest.ts";

const read = (text: string) => readManifests([{ name: "rekey.yaml", text }]);

/** Whatever a manifest can hold: texts that YAML would take for something else, of several lines, with controls. */
const tricky = fc.constantFrom(
  "no",
  "0600",
  "1e3",
  "null",
  "~",
  "*a",
  "&a",
  "- a",
  "# a",
  "a: b",
  "a\n\n b\n",
  " a ",
  "",
);
const text = fc
  .oneof(tricky, fc.string({ unit: "binary" }), fc.string())
  .filter((one) => !one.includes("\0") && one.isWellFormed() && findPlainSecrets(one).length === 0);
const fields = fc.dictionary(
  text.filter((key) => key !== "__proto__"),
  fc.oneof(
    text,
    fc.integer(),
    fc.boolean(),
    fc.array(text, { maxLength: 3 }),
    fc.dictionary(text, text, { maxKeys: 2 }),
  ),
  { maxKeys: 4, noNullPrototype: true },
);
const shared = fields.map((one) => ({ ...one, first: one, again: one }));

const consumer = (config: Record<string, unknown>): Manifest => ({
  apiVersion: "rekey/v1",
  kind: "Consumer",
  metadata: { name: "web", team: "shop" },
  spec: { credential: "shop/orders", kind: "file", config },
});

describe("a manifest that is written", () => {
  it("reads back as the same, whatever its texts look like, and is written the same again", () => {
    fc.assert(
      fc.property(fc.oneof(fields, shared), (config) => {
        const manifest = consumer(JSON.parse(JSON.stringify(config)) as typeof config);
        const written = writeManifest(manifest);
        const { manifests, issues } = read(written);
        expect(issues).toEqual([]);
        expect(manifests.map((one) => one.manifest)).toEqual([manifest]);
        expect(manifests.map((one) => writeManifest(one.manifest))).toEqual([written]);
      }),
    );
  });

  it("has no alias where one object stands twice, which would be refused", () => {
    const twice = { a: 1 };
    expect(read(writeManifest(consumer({ first: twice, again: twice }))).issues).toEqual([]);
  });

  it("has remarks that are no fields, until one is made a field", () => {
    const connection = writeManifest(
      {
        apiVersion: "rekey/v1",
        kind: "Connection",
        metadata: { name: "main", team: "shop", environment: "prod" },
        spec: { kind: "fake-db", config: { user: "admin" } },
      },
      ["To give it:", "secretFrom: given"],
    );
    const specOf = (of: string) => read(of).manifests.map(({ manifest }) => manifest.spec);
    expect(specOf(connection)).toEqual([{ kind: "fake-db", config: { user: "admin" } }]);
    expect(specOf(connection.replace("# secretFrom", "secretFrom"))).toEqual([
      { kind: "fake-db", config: { user: "admin" }, secretFrom: "given" },
    ]);
  });
});
