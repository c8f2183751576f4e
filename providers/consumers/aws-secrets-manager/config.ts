import { z } from "zod";
import { sameKeys } from "../../contract/shared-keys.ts";
import { secretName } from "./connection.ts";

/** A registration of keys of one secret that is a JSON object, or of the whole of one that is plain text. */
export type AwsSecretConfig =
  | { readonly secret: string; readonly keys: Readonly<Record<string, string>> }
  | { readonly secret: string; readonly whole: string };

const secret = z
  .string()
  .regex(secretName, "must be the name of a secret, not its ARN")
  .describe("Its name, in the connection's account and region; rekey makes none");
const field = z.string().min(1).max(256);

export const configSchema: z.ZodType<AwsSecretConfig> = z.union([
  z.strictObject({
    secret,
    keys: z
      .record(z.string().min(1).max(256), field)
      .refine((keys) => Object.keys(keys).length > 0, { message: "must name at least one key" })
      .describe(
        "Key of the secret's JSON object, to the field of the value that it holds; other keys are left as they are",
      ),
  }),
  z.strictObject({
    secret,
    whole: field.describe("The field of the value that is the secret's whole text, where it is no JSON"),
  }),
]);

export const fieldsOf = (config: AwsSecretConfig): readonly string[] =>
  "whole" in config ? [config.whole] : [...new Set(Object.values(config.keys))];

/** One that writes the whole text leaves no key to anybody else. */
export const sharedKeys = (one: AwsSecretConfig, other: AwsSecretConfig): readonly string[] =>
  "whole" in one || "whole" in other ? ["the whole secret"] : sameKeys(one.keys, other.keys);
