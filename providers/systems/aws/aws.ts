import type { IAMClient } from "@aws-sdk/client-iam";
import type { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { STSClient } from "@aws-sdk/client-sts";
import type { Code } from "../../../domain/errors.ts";
import type { ProviderContext } from "../../contract/context.ts";
import type { Secret } from "../../contract/secret.ts";
import { overEgress } from "./over-egress.ts";
import { destinationOf, type AwsService, type AwsSettings } from "./settings.ts";

export interface AwsKey {
  readonly accessKeyId: string;
  readonly secretAccessKey: Secret<string>;
}

/** Which codes stand for what every service has alike: an issuer, a target and a custody name it differently. */
export interface AwsCodes {
  readonly unreachable: Code;
  readonly authFailed: Code;
  readonly refused: Code;
}

/** One account, asked with one access key. */
export interface Aws {
  readonly settings: AwsSettings;
  readonly key: AwsKey;
  readonly codes: AwsCodes;
  readonly context: Pick<ProviderContext, "fetch" | "signal">;
}

/**
 * Everything that the SDK would otherwise look for in the environment, in `~/.aws` or at a metadata service is said, so
 * that only the connection decides where calls go, and as whom.
 */
function configOf({ settings, key, context }: Aws, service: AwsService) {
  const { url, region } = destinationOf(settings, service);
  return {
    endpoint: url,
    ignoreConfiguredEndpointUrls: true,
    region,
    credentials: { accessKeyId: key.accessKeyId, secretAccessKey: key.secretAccessKey.reveal() },
    requestHandler: overEgress(context, settings.ca),
    defaultsMode: "standard" as const,
    // Repeating is decided in ask.ts, which knows what has an effect.
    maxAttempts: 1,
    retryMode: "standard",
    // It would hide that this machine's clock is wrong.
    disableClockSkewCorrection: true,
    useDualstackEndpoint: false,
    useFipsEndpoint: false,
    authSchemePreference: ["aws.auth#sigv4"],
    sigv4aSigningRegionSet: [],
    userAgentAppId: async () => Promise.resolve(undefined),
    // The SDK's own tells the machine's kernel and what the environment says of itself.
    defaultUserAgentProvider: async () => Promise.resolve([["rekey"]] as [string][]),
  };
}

export async function iamOf(aws: Aws): Promise<IAMClient> {
  const sdk = await import("@aws-sdk/client-iam");
  return new sdk.IAMClient(configOf(aws, "iam"));
}

export async function stsOf(aws: Aws): Promise<STSClient> {
  const sdk = await import("@aws-sdk/client-sts");
  return new sdk.STSClient(configOf(aws, "sts"));
}

export async function secretsManagerOf(aws: Aws): Promise<SecretsManagerClient> {
  const sdk = await import("@aws-sdk/client-secrets-manager");
  return new sdk.SecretsManagerClient(configOf(aws, "secretsmanager"));
}
