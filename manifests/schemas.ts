import { z } from "zod";
import { strengths } from "../domain/evidence.ts";
import { inventoryFields } from "./inventory.ts";
import { noticeSpec } from "./notice-fields.ts";
import { metadataFields } from "./object-metadata.ts";
import { policySchema } from "./policy.ts";

/** Each kind of manifest, in the order in which they are applied: what others refer to comes first. */
export const manifestKinds = [
  "Team",
  "Environment",
  "Policy",
  "Connection",
  "Credential",
  "Consumer",
  "Notice",
] as const;
export type ManifestKind = (typeof manifestKinds)[number];

/** Rotations that may be open there at once. */
const maxConcurrent = z.int().min(1).max(10_000).optional();

const nameText = "must be lower-case letters, digits and dashes, 63 at most, beginning with a letter or digit";
const name = z.string().regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, nameText);
export { name as objectName };
/** `team/name`, or `name` within the own team. */
const reference = z
  .string()
  .regex(/^([a-z0-9][a-z0-9-]{0,62}\/)?[a-z0-9][a-z0-9-]{0,62}$/, "must be a name, or team/name");
/** Checked by the schema of the kind that it belongs to. */
const open = z.record(z.string(), z.unknown(), { error: "must be a mapping of fields" });

/** The command line reads the secret on its own machine and leaves this word in its place. */
const secretGiven = "given";

const secretFrom = z.literal(secretGiven, {
  error: ({ input }) =>
    typeof input === "string"
      ? "must say where the secret is and not hold it: { env: NAME }, { file: PATH } or { stdin: true }. If that is the secret itself, take it out and replace it at its server: it lies in a file now"
      : "must be { env: NAME }, { file: PATH } or { stdin: true }, which the command line reads on your machine",
});

function envelope<K extends ManifestKind, M extends z.ZodType, S extends z.ZodType>(kind: K, metadata: M, spec: S) {
  return z.strictObject({ apiVersion: z.literal("rekey/v1"), kind: z.literal(kind), metadata, spec });
}

export const manifestSchemas = {
  Team: envelope(
    "Team",
    z.strictObject({ name, ...metadataFields }),
    z
      .strictObject({ contact: z.string().max(200).optional(), policy: policySchema.optional(), maxConcurrent })
      .nullish(),
  ),
  Environment: envelope(
    "Environment",
    z.strictObject({ name, ...metadataFields }),
    z.strictObject({ policy: policySchema.optional(), maxConcurrent }).nullish(),
  ).partial({ spec: true }),
  Policy: envelope("Policy", z.strictObject({ name, team: name, ...metadataFields }), policySchema),
  Connection: envelope(
    "Connection",
    z.strictObject({ name, team: name, environment: name, ...metadataFields }),
    z.strictObject({
      kind: z.string(),
      pool: name.optional(),
      config: open,
      maxConcurrent,
      /** Two at least: one is kept for emergencies. */
      requestsPerSecond: z.int().min(2).max(10_000).optional(),
      secretFrom: secretFrom.optional(),
    }),
  ),
  Credential: envelope(
    "Credential",
    z.strictObject({ name, team: name, environment: name, ...metadataFields }),
    z.strictObject({
      issuer: z.string().optional(),
      connection: reference,
      config: open,
      /** The policy itself, or the name of one. */
      policy: z.union([policySchema, reference]).optional(),
      ...inventoryFields(name),
      /** The place of its values in custody, of those that the settings name. */
      custody: name.optional(),
    }),
  ),
  Consumer: envelope(
    "Consumer",
    z.strictObject({ name, team: name, environment: name.optional(), ...metadataFields }),
    z.strictObject({
      credential: reference,
      kind: z.string(),
      connection: reference.optional(),
      config: open,
      evidence: z.looseObject({ wanted: z.enum(strengths).optional() }).optional(),
    }),
  ),
  Notice: envelope(
    "Notice",
    z.strictObject({ name, team: name, ...metadataFields }),
    noticeSpec.extend({ secretFrom: secretFrom.optional() }),
  ),
} as const satisfies Record<ManifestKind, z.ZodType>;

type Parsed = { readonly [K in ManifestKind]: z.output<(typeof manifestSchemas)[K]> };

export type ManifestOf<K extends ManifestKind> = Parsed[K] & { readonly kind: K };
export type Manifest = { readonly [K in ManifestKind]: ManifestOf<K> }[ManifestKind];
