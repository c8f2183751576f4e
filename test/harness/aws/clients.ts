import { IAMClient } from "@aws-sdk/client-iam";
import { SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { STSClient } from "@aws-sdk/client-sts";

/** What an access key is to whoever signs with it. */
export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface AwsEndpoint {
  readonly url: string;
  /** PEM; absent for a server that speaks plain HTTP. */
  readonly ca?: string;
}

export interface AwsClients {
  readonly iam: IAMClient;
  readonly sts: STSClient;
  readonly secrets: SecretsManagerClient;
  close(): void;
}

export interface ClientOptions {
  readonly region?: string;
  /** 1 shows every answer as it comes; the SDK repeats by itself otherwise. */
  readonly maxAttempts?: number;
  readonly systemClockOffset?: number;
}

/** The real SDK, pointed at a server of a test. */
export function awsClients({ url, ca }: AwsEndpoint, keys: AwsKeys, options: ClientOptions = {}): AwsClients {
  const config = {
    endpoint: url,
    region: "eu-central-1",
    maxAttempts: 1,
    credentials: { ...keys },
    ...(ca === undefined ? {} : { requestHandler: { httpsAgent: { ca } } }),
    ...options,
  };
  const [iam, sts, secrets] = [new IAMClient(config), new STSClient(config), new SecretsManagerClient(config)];
  const close = () => {
    for (const client of [iam, sts, secrets]) client.destroy();
  };
  return { iam, sts, secrets, close };
}
