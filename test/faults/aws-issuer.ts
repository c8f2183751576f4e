import { randomBytes } from "node:crypto";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { Secret } from "../../providers/contract/secret.ts";
import { adminOf, awsPage, policyIn, settingsAt } from "../harness/aws-settings.ts";
import { awsClients, type AwsClients } from "../harness/aws/clients.ts";
import type { FakeAws } from "../harness/aws/fake-aws.ts";
import type { TlsServer } from "../harness/proxy/tls.ts";
import { registerOverConnection } from "../harness/over-connection.ts";
import type { HeldLogin } from "../harness/sentinel.ts";
import { awsSecret } from "./aws-secret.ts";
import type { MintingIssuer } from "./minted-principal.ts";

const keys = { AWS_ACCESS_KEY_ID: "accessKeyId", AWS_SECRET_ACCESS_KEY: "secretAccessKey" };

/**
 * Users of one account, at the strict stand-in; looked at behind its calls. rekey may do what the page says, no more.
 * `line`: how it is reached.
 */
export async function awsIssuer(aws: FakeAws, line: TlsServer = aws): Promise<MintingIssuer> {
  aws.addUser("rekey", [await policyIn(awsPage, "## The user that rotates access keys", aws.identities.account)]);
  const admin = aws.addKey("rekey");
  const logsIn = loginsAt(aws);
  return async (mark) => {
    const user = `orders-${mark}`;
    aws.addUser(user, [], "/team/");
    const { accessKeyId, secretAccessKey } = aws.addKey(user);
    const held = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey };
    const idsThat = (are: string) => aws.keysOf(user).flatMap(({ id, status }) => (status === are ? [id] : []));
    return Promise.resolve({
      kind: "aws-iam-access-key",
      connection: {
        settings: settingsAt(line, aws.identities.account, admin),
        secret: adminOf(admin),
        principal: "",
      },
      config: { user },
      principals: [user],
      today: { accessKeyId, secretAccessKey: new Secret(secretAccessKey) },
      keys,
      held,
      secrets: [admin.secretAccessKey],
      refusals: { ended: "InvalidClientTokenId", wrong: "SignatureDoesNotMatch" },
      nameOf: (handle) => handle,
      wrong: (login) => ({ ...login, AWS_SECRET_ACCESS_KEY: randomBytes(30).toString("base64") }),
      live: async () => Promise.resolve(idsThat("Active")),
      disabled: async () => Promise.resolve(idsThat("Inactive")),
      logsIn,
      async besides(world, credential) {
        const secret = await awsSecret(aws, { keys, held }, { application: user, line });
        await registerOverConnection(world, credential, secret.consumer);
        return secret;
      },
    });
  };
}

/** Applications that ask who they are. Each keeps its client, as one does that runs, which repeats what AWS's own code repeats. */
function loginsAt(aws: FakeAws): (login: HeldLogin) => Promise<string> {
  const clients = new Map<string, AwsClients>();
  return async ({ AWS_ACCESS_KEY_ID: accessKeyId = "", AWS_SECRET_ACCESS_KEY: secretAccessKey = "" }) => {
    const name = `${accessKeyId} ${secretAccessKey}`;
    const kept = clients.get(name) ?? awsClients(aws, { accessKeyId, secretAccessKey }, { maxAttempts: 10 });
    clients.set(name, kept);
    try {
      await kept.sts.send(new GetCallerIdentityCommand({}));
      return "accepted";
    } catch (error) {
      return error instanceof Error ? error.name : "failed";
    }
  };
}
