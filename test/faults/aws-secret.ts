import { CreateSecretCommand, GetSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import { awsSecretsManager } from "../../providers/consumers/aws-secrets-manager/definition.ts";
import type { AwsConnection } from "../../providers/consumers/aws-secrets-manager/connection.ts";
import type { AwsSecretConfig } from "../../providers/consumers/aws-secrets-manager/config.ts";
import { adminOf, policyIn, settingsAt } from "../harness/aws-settings.ts";
import { awsClients } from "../harness/aws/clients.ts";
import type { FakeAws } from "../harness/aws/fake-aws.ts";
import type { TlsServer } from "../harness/proxy/tls.ts";
import type { OverConnection } from "../harness/over-connection.ts";

const page = new URL("../../docs/aws.md", import.meta.url);

export interface AwsSecret {
  /** How rekey brings values there; it may do what the page says, no more. */
  readonly consumer: OverConnection<AwsSecretConfig, AwsConnection>;
  /** The user that rekey writes as. */
  readonly writer: string;
  /** All that the secret holds, as the application reads it. */
  read(): Promise<Readonly<Record<string, string>>>;
  close(): void;
}

/**
 * The secret of one application at the stand-in, that holds this beside something of others. `keys`: of it, each with the
 * field that it holds. `line`: how rekey reaches it.
 */
export async function awsSecret(
  aws: FakeAws,
  { keys, held }: Record<"keys" | "held", Readonly<Record<string, string>>>,
  { application = "orders", line = aws }: { readonly application?: string; readonly line?: TlsServer } = {},
): Promise<AwsSecret> {
  const { account } = aws.identities;
  const [name, writer, reader] = [`shop/${application}`, `writer-${application}`, `reader-${application}`];
  const printed = JSON.stringify(await policyIn(page, "## The user that writes secrets", account));
  aws.addUser(writer, [JSON.parse(printed.replaceAll("user/rekey", `user/${writer}`))]);
  const key = aws.addKey(writer);
  aws.addUser(reader);
  const { secrets, close } = awsClients(aws, aws.addKey(reader), { maxAttempts: 10 });
  const SecretString = JSON.stringify({ ...held, mode: "live" });
  await secrets.send(new CreateSecretCommand({ Name: name, SecretString }));
  return {
    writer,
    consumer: {
      definition: awsSecretsManager,
      name: "billing",
      config: { secret: name, keys },
      settings: (team) => ({ ...settingsAt(line, account, key), secrets: { [team]: ["shop/"] } }),
      secret: adminOf(key),
      evidence: { wanted: "delivered", collectors: {} },
    },
    async read() {
      const { SecretString: text = "{}" } = await secrets.send(
        new GetSecretValueCommand({ SecretId: name, VersionStage: "AWSCURRENT" }),
      );
      return JSON.parse(text) as Readonly<Record<string, string>>;
    },
    close,
  };
}
