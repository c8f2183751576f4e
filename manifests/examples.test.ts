import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { catalog, connectionKindsOf } from "../providers/catalog.ts";
import { knownFields } from "./known-fields.ts";
import { manifestKinds, manifestSchemas, type Manifest } from "./schemas.ts";
import { readManifests } from "./read-manifests.ts";

const folder = new URL("../examples/manifests/", import.meta.url);

/** As the command line sends it, once it has read the secret. */
function example(name: string) {
  const text = readFileSync(new URL(name, folder), "utf8");
  return { name, text: text.replaceAll(/secretFrom: \{.*\}/g, "secretFrom: given") };
}

const { manifests, issues } = readManifests(readdirSync(folder).map(example));
const complete = readManifests([example("orders.yaml")]).manifests;

function inCatalog<T>(kinds: Readonly<Record<string, T>>, kind: string | undefined): T {
  const found = kinds[kind ?? ""];
  if (found === undefined) throw new Error(`the catalog has no '${kind ?? ""}'`);
  return found;
}

/** What the kind's own schemas find wrong. */
function faults({ kind, spec }: Manifest): readonly unknown[] {
  switch (kind) {
    case "Connection":
      return [inCatalog(connectionKindsOf(catalog), spec.kind).connectionSchema.safeParse(spec.config).error];
    case "Credential":
      return [inCatalog(catalog.issuers, spec.issuer).configSchema.safeParse(spec.config).error];
    case "Consumer": {
      const { wanted: _wanted, ...evidence } = spec.evidence ?? {};
      const collectors = Object.entries(evidence).map(
        ([name, config]) => inCatalog(catalog.collectors, name).configSchema.safeParse(config).error,
      );
      return [inCatalog(catalog.consumers, spec.kind).configSchema.safeParse(spec.config).error, ...collectors];
    }
    default:
      return [];
  }
}

const someNeedConnection = Object.values(catalog.consumers).some((one) => one.connectionKind !== undefined);

/** A consumer's connection can be shown only by a kind that is reached over one. */
const isOfUse = (field: string, _: number, fields: readonly string[]) =>
  field !== "connection" || fields.includes("issuer") || someNeedConnection;

describe("the example manifests", () => {
  it("are free of mistakes", () => {
    expect(issues).toEqual([]);
  });

  it("hold one of each kind", () => {
    expect(complete.map(({ manifest }) => manifest.kind)).toEqual(manifestKinds);
  });

  it.each(manifestKinds)("show each field of a %s", (kind) => {
    const known = knownFields(manifestSchemas[kind]);
    const shown = (part: string) =>
      manifests
        .filter(({ manifest }) => manifest.kind === kind)
        .flatMap(({ document }) => Object.keys((document.content as Readonly<Record<string, object>>)[part] ?? {}));
    for (const part of ["metadata", "spec"])
      expect([...new Set(shown(part))].toSorted(), part).toEqual(known([part]).filter(isOfUse).toSorted());
  });

  it("show each kind of consumer", () => {
    const shown = manifests.flatMap(({ manifest: { kind, spec } }) => (kind === "Consumer" ? [spec.kind] : []));
    expect([...new Set(shown)].toSorted()).toEqual(Object.keys(catalog.consumers).toSorted());
  });

  it.each(manifests)("fit what the providers ask for: $manifest.kind", ({ manifest }) => {
    expect(faults(manifest).filter((fault) => fault !== undefined)).toEqual([]);
  });
});
