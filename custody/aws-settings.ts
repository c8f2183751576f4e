import { isAbsolute } from "node:path";
import { z } from "zod";
import { awsSettings, type AwsSettings } from "../providers/systems/aws/settings.ts";

/** A place of kind `aws`: the secrets below one name, in Secrets Manager of one account and region. */
export interface AwsCustodySettings extends AwsSettings {
  readonly secretFile: string;
  readonly prefix: string;
}

export const awsCustodySettings: z.ZodType<AwsCustodySettings> = z.strictObject({
  ...awsSettings,
  secretFile: z.string().refine(isAbsolute, "must be an absolute path"),
  prefix: z
    .string()
    .max(128)
    .regex(/^[\w+=.@-]+(\/[\w+=.@-]+)*$/, "must be the beginning of names, without a slash at either end")
    .default("rekey"),
});
