import { z } from "zod";
import { PermanentError } from "../../../domain/errors.ts";
import { revealField, type FieldDeclarations, type Value } from "../../contract/value.ts";
import { awsSettings, type AwsSettings } from "../../systems/aws/settings.ts";

export const connectionSchema: z.ZodType<AwsSettings> = z.strictObject(awsSettings);

export interface UserConfig {
  readonly user: string;
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateUser.html */
export const configSchema: z.ZodType<UserConfig> = z.strictObject({
  user: z
    .string()
    .regex(/^[\w+=,.@-]{1,64}$/, "must be the name of an IAM user, without its path")
    .describe("The IAM user whose access keys take turns; a credential of its own for each user"),
});

export const fields = {
  accessKeyId: { secret: false, title: "Access key id" },
  secretAccessKey: { secret: true, title: "Secret access key" },
} as const satisfies FieldDeclarations;

/** Scanners report the id alone, since the secret beside it has no form of its own. */
export const handlesIn = (text: string): readonly string[] => text.match(/\bAKIA[A-Z0-9]{12,124}\b/g) ?? [];

/** The id names a key for ever: IAM never gives one again. */
export function handleOf(_config: UserConfig, value: Value): string {
  const id = revealField(value, "accessKeyId");
  if (!/^AKIA[A-Z0-9]{12,124}$/.test(id))
    throw new PermanentError("value_unfit", "The value's accessKeyId is no id of an IAM user's access key (AKIA…).");
  return id;
}
