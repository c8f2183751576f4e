import { z } from "zod";
import { noticeFormats } from "../domain/notice.ts";
import { connectionKindsOf, type Catalog } from "../providers/catalog.ts";
import { manifestKinds, manifestSchemas, type ManifestKind } from "./schemas.ts";

/** A JSON Schema of draft 7, the newest that the editors' YAML language servers know whole. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

const written =
  "Generated from manifests/schemas.ts and providers/catalog.ts by `npm run generate`; edit that instead.";

/**
 * What a document of a manifest file may hold, for editors: the schemas that `rekey apply` checks with, each provider's
 * own among them. Rules between fields are beyond it, and are told by `rekey apply --dry-run`.
 */
export function manifestJsonSchema(catalog: Catalog): JsonSchema {
  return {
    $comment: written,
    $schema: "http://json-schema.org/draft-07/schema#",
    title: "A manifest of rekey",
    type: "object",
    required: ["apiVersion", "kind", "metadata"],
    properties: { apiVersion: { const: "rekey/v1" }, kind: { enum: manifestKinds } },
    allOf: manifestKinds.map((kind) => whenIs("kind", kind, { $ref: `#/definitions/${kind}` })),
    definitions: Object.fromEntries(manifestKinds.map((kind) => [kind, definitionOf(kind, catalog)])),
  };
}

const whenIs = (field: string, value: string, then: JsonSchema): JsonSchema => ({
  if: { required: [field], properties: { [field]: { const: value } } },
  // oxlint-disable-next-line unicorn/no-thenable -- the word is JSON Schema's
  then,
});

function definitionOf(kind: ManifestKind, catalog: Catalog): JsonSchema {
  const { issuers, consumers, collectors } = catalog;
  const whole = asJsonSchema(manifestSchemas[kind]);
  switch (kind) {
    case "Team":
    case "Environment":
    case "Policy":
      return whole;
    case "Notice":
      // Where the address is the secret it stands in no manifest.
      return withSpec(
        whole,
        { secretFrom },
        Object.keys(noticeFormats).map((format) =>
          whenIs("format", format, format === "slack" ? { properties: { url: { not: {} } } } : { required: ["url"] }),
        ),
      );
    case "Connection": {
      const kinds = connectionKindsOf(catalog);
      return withSpec(
        whole,
        { kind: { enum: Object.keys(kinds) }, secretFrom },
        configsBy("kind", kinds, (one) => one.connectionSchema),
      );
    }
    case "Credential":
      return withSpec(
        whole,
        {
          issuer: { enum: Object.keys(issuers) },
          // Of whichever kind its connection is, where the manifest does not say it again.
          config: { anyOf: Object.values(issuers).map(({ configSchema }) => asJsonSchema(configSchema)) },
        },
        configsBy("issuer", issuers, (issuer) => issuer.configSchema),
      );
    case "Consumer":
      return withSpec(
        whole,
        {
          kind: { enum: Object.keys(consumers) },
          evidence: {
            type: "object",
            additionalProperties: false,
            properties: {
              ...whole.properties?.["spec"]?.properties?.["evidence"]?.properties,
              ...Object.fromEntries(
                Object.values(collectors).map((one) => [
                  one.kind,
                  { description: one.title, ...asJsonSchema(one.configSchema) },
                ]),
              ),
            },
          },
        },
        [
          ...configsBy("kind", consumers, (consumer) => consumer.configSchema),
          ...Object.values(consumers).map((one) =>
            whenIs(
              "kind",
              one.kind,
              one.connectionKind === undefined
                ? { properties: { connection: { not: {} } } }
                : { required: ["connection"] },
            ),
          ),
        ],
      );
  }
}

function configsBy<D>(
  field: string,
  definitions: Readonly<Record<string, D>>,
  schemaOf: (definition: D) => z.ZodType,
): readonly JsonSchema[] {
  return Object.entries(definitions).map(([kind, definition]) =>
    whenIs(field, kind, { properties: { config: asJsonSchema(schemaOf(definition)) } }),
  );
}

/** The manifest's schema with these fields of its spec in place of the ones that leave their content open. */
function withSpec(whole: JsonSchema, fields: Readonly<Record<string, JsonSchema>>, allOf: readonly JsonSchema[]) {
  const { spec, ...others } = whole.properties ?? {};
  return {
    ...whole,
    properties: { ...others, spec: { ...spec, properties: { ...spec?.properties, ...fields }, allOf } },
  };
}

/** In a file a secret's source stands where the API gets the word `given`. */
const source = {
  type: "object",
  additionalProperties: false,
  minProperties: 1,
  maxProperties: 1,
  properties: { env: { type: "string" }, file: { type: "string" }, stdin: { const: true } },
} as const;

const secretFrom: JsonSchema = {
  description:
    "Where the command line reads the secret on your machine: one source, or one for each field by its name.",
  anyOf: [source, { type: "object", minProperties: 1, additionalProperties: source }],
};

function asJsonSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _, ...found } = z.toJSONSchema(schema, {
    target: "draft-7",
    io: "input",
    unrepresentable: "any",
    reused: "inline",
    override({ jsonSchema }) {
      // No format of JSON Schema: the pattern beside it says the same.
      if (jsonSchema.format === "starts_with") delete jsonSchema.format;
    },
  });
  return found as JsonSchema;
}
