import type { IAMClient } from "@aws-sdk/client-iam";
import type { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import type { STSClient } from "@aws-sdk/client-sts";
import type { Code } from "../../../domain/errors.ts";
import type { ProviderContext } from "../../contract/context.ts";
import type { Secret } from "../../contract/secret.ts";
import { overEgress } from "./over-egress.ts";
import { destinationOf, type AwsService, type AwsSettings } from "./settings.ts";

/** Which codes stand for what every service has alike: an issuer, a target and a custody name it differently. */
export interface AwsCodes {
  readonly unreachable: Code;
  readonly authFailed: Code;
  readonly refused: Code;
  /** Whose key it is, where that is no connection: for the texts of errors. */
  readonly of?: KeyHolder;
}

/** Where a person finds what calls are made with. */
export interface KeyHolder {
  /** `connection` in "the connection's access key". */
  readonly what: string;
  /** How it gets another key, as the beginning of a sentence. */
  readonly giveKey: string;
}

const connection: KeyHolder = { what: "connection", giveKey: "Apply the connection again" };

export const holderOf = ({ of = connection }: Partial<Pick<AwsCodes, "of">>): KeyHolder => of;

/** One account, asked with one access key. */
export interface Aws {
  readonly settings: AwsSettings;
  /** Of the key that the settings name. */
  readonly secretAccessKey: Secret<string>;
  readonly codes: AwsCodes;
  readonly context: Pick<ProviderContext, "fetch" | "signal">;
}

/**
 * Everything that the SDK would otherwise look for in the environment, in `~/.aws` or at a metadata service is said, so
 * that only the connection decides where calls go, and as whom.
 */
function configOf({ settings, secretAccessKey, context }: Aws, service: AwsService) {
  const { url, region } = destinationOf(settings, service);
  return {
    endpoint: url,
    ignoreConfiguredEndpointUrls: true,
    region,
    credentials: { accessKeyId: settings.accessKeyId, secretAccessKey: secretAccessKey.reveal() },
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

interface Clients {
  iam?: IAMClient;
  sts?: STSClient;
  secretsManager?: SecretsManagerClient;
}

/** Made on first use, and gone with what they were made for. */
const made = new WeakMap<Aws, Clients>();

function clientsOf(aws: Aws): Clients {
  const present = made.get(aws) ?? {};
  made.set(aws, present);
  return present;
}

export async function iamOf(aws: Aws): Promise<IAMClient> {
  const { IAMClient } = await import("@aws-sdk/client-iam");
  return (clientsOf(aws).iam ??= new IAMClient(configOf(aws, "iam")));
}

export async function stsOf(aws: Aws): Promise<STSClient> {
  const { STSClient } = await import("@aws-sdk/client-sts");
  return (clientsOf(aws).sts ??= new STSClient(configOf(aws, "sts")));
}

export async function secretsManagerOf(aws: Aws): Promise<SecretsManagerClient> {
  const { SecretsManagerClient } = await import("@aws-sdk/client-secrets-manager");
  return (clientsOf(aws).secretsManager ??= new SecretsManagerClient(configOf(aws, "secretsmanager")));
}
