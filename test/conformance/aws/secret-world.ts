import { createHash, randomBytes } from "node:crypto";
import {
  DeleteSecretCommand,
  GetSecretValueCommand,
  CreateSecretCommand,
  PutSecretValueCommand,
} from "@aws-sdk/client-secrets-manager";
import { awsSecretsManager } from "../../../providers/consumers/aws-secrets-manager/definition.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { adminOf, contextFor, settingsAt } from "../../harness/aws-settings.ts";
import { makeCertificates } from "../../harness/aws/authority.ts";
import { awsClients } from "../../harness/aws/clients.ts";
import { FakeAws } from "../../harness/aws/fake-aws.ts";
import { gentle } from "../../harness/aws/settings.ts";
import { proxyHttp, type HttpCall } from "../../harness/proxy/http.ts";
import { anyConsumer, ownTeam, type ConsumerWorld, type OpenConsumerHow } from "../consumer-world.ts";
import { gate } from "../gate.ts";

const keys = { user: "username", password: "password" };
const name = "shop/orders";
const largest = 65_536;

const actionOf = ({ headers }: HttpCall): string => String(headers["x-amz-target"]).replace(/^secretsmanager\./, "");
const writes = ["PutSecretValue", "UpdateSecretVersionStage"];
const isWrite = (call: HttpCall): boolean => writes.includes(actionOf(call));
const isMove = (call: HttpCall): boolean => actionOf(call) === "UpdateSecretVersionStage";

/** The least rights of a connection that writes these secrets. */
const leastRights = (account: string, pattern: string) => [
  {
    Version: "2012-10-17",
    Statement: [
      {
        Effect: "Allow",
        Action: ["DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage"].map(
          (action) => `secretsmanager:${action}`,
        ),
        Resource: `arn:aws:secretsmanager:eu-central-1:${account}:secret:${pattern}`,
      },
      {
        Effect: "Allow",
        Action: "iam:SimulatePrincipalPolicy",
        Resource: `arn:aws:iam::${account}:user/rekey`,
      },
    ],
  },
];

interface Content {
  readonly [key: string]: unknown;
}

/** Text that is no JSON has no key, and is all of others. */
function contentOf(text: string): Content {
  try {
    return JSON.parse(text) as Content;
  } catch {
    return { text };
  }
}

/** A secret with something of others in it, in the strict stand-in for AWS. */
export async function makeSecretWorld(): Promise<ConsumerWorld> {
  const fake = await FakeAws.start(gentle);
  const { account } = fake.identities;
  fake.addUser("rekey", leastRights(account, "shop/*"));
  const admin = fake.addKey("rekey");
  fake.addUser("application");
  const { secrets: outside, close: closeOutside } = awsClients(fake, fake.addKey("application"), { maxAttempts: 9 });
  const front = makeCertificates();
  const proxy = await proxyHttp(fake.url, { ca: fake.ca, tls: front, hasEffect: isWrite });
  const settings = {
    ...settingsAt({ url: proxy.url, ca: front.ca }, account, admin),
    secrets: { [ownTeam]: ["shop/"] },
  };
  const config = awsSecretsManager.configSchema.parse({ secret: name, keys });
  await outside.send(new CreateSecretCommand({ Name: name, SecretString: JSON.stringify({ mode: "live", pool: 5 }) }));
  const ownKey = randomBytes(32);
  let grown = 24;

  const open = async ({ digestKey = ownKey, ...how }: OpenConsumerHow = {}) =>
    awsSecretsManager.open(
      {
        config,
        connection: { settings, secret: adminOf(admin) },
        allowed: { roots: [], reloads: {} },
        consumer: anyConsumer,
        digestKey,
      },
      contextFor([proxy.url], how),
    );
  /** As an application reads it. */
  const read = async (): Promise<Content | undefined> => {
    const asked = new GetSecretValueCommand({ SecretId: name, VersionStage: "AWSCURRENT" });
    const found = await outside.send(asked).catch(() => undefined);
    return found === undefined ? undefined : contentOf(found.SecretString ?? "");
  };
  const put = async (text: string) => outside.send(new PutSecretValueCommand({ SecretId: name, SecretString: text }));
  const change = async (part: Content): Promise<void> =>
    void (await put(JSON.stringify({ ...(await read()), ...part })));

  return {
    definition: awsSecretsManager,
    config,
    open,
    async readBehindBack() {
      const held = (await read()) ?? {};
      return Object.fromEntries(Object.entries(keys).map(([key, field]) => [field, held[key] as string | undefined]));
    },
    async foreignBehindBack() {
      const found = await read();
      return found === undefined ? undefined : Object.entries(found).filter(([key]) => !Object.hasOwn(keys, key));
    },
    fingerprint: async () => {
      const versions = [...(fake.secrets.find("eu-central-1", name)?.versions.values() ?? [])];
      const shown = versions.map(({ id, content, stages }) => [id, content, [...stages].toSorted()]);
      return Promise.resolve(createHash("sha256").update(JSON.stringify(shown)).digest("hex"));
    },
    freshValue: () => ({
      username: `orders_${randomBytes(3).toString("hex")}`,
      // Longer each time, so that a full secret has no room for the next.
      password: new Secret(randomBytes(grown++).toString("base64url")),
      unused: "not for this consumer",
    }),
    secretField: "password",
    abilities: {
      changeOurs: async (text) => change({ password: text }),
      changeForeign: async () => change({ mode: randomBytes(3).toString("hex") }),
      removeTarget: async () =>
        void (await outside.send(new DeleteSecretCommand({ SecretId: name, ForceDeleteWithoutRecovery: true }))),
      malform: async () => void (await put('{"user": ')),
      makeReadOnly: { lacks: "policies say who may write a secret, and a right that is missing has a code of its own" },
      async fillUp() {
        const { filler: _, ...rest } = (await read()) ?? {};
        const size = Buffer.byteLength(JSON.stringify({ ...rest, filler: "" }));
        await change({ filler: "x".repeat(largest - size) });
      },
      swallowWrites: async () => {
        proxy.each((call) => (isWrite(call) ? { do: "answer", status: 200, body: { Name: name } } : undefined));
        return Promise.resolve();
      },
      // The move is what readers see; what is put before it lies under a stage that nobody reads.
      async holdNextWrite() {
        const [until, release] = gate();
        const onItsWay = proxy.meet(isMove, { do: "delay", until }).then(() => undefined);
        return { session: await open(), onItsWay, release };
      },
      async loseNextAnswer() {
        void proxy.meet(isMove, { do: "lose-answer" });
        return open();
      },
      connections: async () => Promise.resolve({ own: settings, elsewhere: { ...settings, region: "eu-north-1" } }),
      reloads: { lacks: "whoever reads a secret asks for it again by himself" },
    },
    async close() {
      closeOutside();
      proxy.close();
      fake.close();
      return Promise.resolve();
    },
  };
}
