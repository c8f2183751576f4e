import { z } from "zod";
import { Secret } from "../../contract/secret.ts";
import type { ConnectionKind } from "../../contract/connection.ts";
import type { ProviderContext } from "../../contract/context.ts";
import { revealField, type Value } from "../../contract/value.ts";
import type { Aws } from "../../systems/aws/aws.ts";
import type { AwsCall } from "../../systems/aws/api-error.ts";
import { lookAtAccount } from "../../systems/aws/identity.ts";
import { awsAdminFields, awsSettings, type AwsSettings } from "../../systems/aws/settings.ts";

/** One account in one region, and which secrets there each team may have written. */
export interface AwsConnection extends AwsSettings {
  readonly secrets: Readonly<Record<string, readonly string[]>>;
}

/** What Secrets Manager lets a secret be called: https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html */
export const secretName = /^[\w/+=.@-]{1,512}$/;

const connectionSchema: z.ZodType<AwsConnection> = z.strictObject({
  ...awsSettings,
  secrets: z
    .record(
      z.string().min(1),
      z.array(z.string().regex(secretName, "must be a name, or its beginning up to a /")).min(1),
    )
    .describe("Which secrets each team may register, by the team's name: whole names, or beginnings that end in `/`"),
});

const codes = {
  unreachable: "target_unreachable",
  authFailed: "target_auth_failed",
  refused: "target_refused",
} as const;

/** The account, asked with the connection's own key. */
export function awsOver(settings: AwsSettings, secret: Value, context: Pick<ProviderContext, "fetch" | "signal">): Aws {
  return { settings, secretAccessKey: new Secret(revealField(secret, "secretAccessKey")), codes, context };
}

/** What a delivery calls, each on the secret alone. */
export const actions = {
  describe: "secretsmanager:DescribeSecret",
  get: "secretsmanager:GetSecretValue",
  put: "secretsmanager:PutSecretValue",
  move: "secretsmanager:UpdateSecretVersionStage",
} as const;

export const callsOn = (resource: string): readonly AwsCall[] =>
  Object.values(actions).map((action) => ({ action, resource }));

/** One account of AWS in one region. */
export const aws: ConnectionKind<AwsConnection> = {
  kind: "aws",
  connectionSchema,
  adminFields: awsAdminFields,
  // Only the key tells whose it is.
  adminPrincipalOf: () => "",
  // What a delivery lacks is found at the registered secret: a policy may be narrower than what each team may register.
  look: async ({ connection, admin }, context) => lookAtAccount(awsOver(connection, admin, context)),
};
