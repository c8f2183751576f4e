import { randomBytes, randomUUID } from "node:crypto";
import * as iam from "@aws-sdk/client-iam";
import * as secrets from "@aws-sdk/client-secrets-manager";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { hasMoto, noMoto, startMoto, type Moto } from "../moto.ts";
import { needs } from "../needs.ts";
import { awsClients, type AwsClients, type AwsEndpoint, type AwsKeys, type ClientOptions } from "./clients.ts";
import { FakeAws } from "./fake-aws.ts";
import { gentle } from "./settings.ts";

/** One of the two servers, asked in the same words. */
interface Witness {
  readonly admin: AwsClients;
  /** Of a fresh user with the policies, or with all rights. */
  keys(policies?: readonly unknown[]): Promise<AwsKeys & { readonly userName: string }>;
  as(keys: AwsKeys, options?: ClientOptions): AwsClients;
}

/** What is asked, what AWS documents, which the fake does, and what moto does instead. */
interface Difference {
  readonly what: string;
  readonly documented: string;
  readonly ask: (witness: Witness) => Promise<unknown>;
  readonly aws: unknown;
  readonly moto: unknown;
}

const closing: (() => void)[] = [];
let fake: FakeAws;
let moto: Moto | undefined;

beforeAll(async () => {
  // Nothing is refused by chance, but nobody ever hears of a fresh key: what needs one takes a key that was there.
  fake = await FakeAws.start({ ...gentle, freshKeyLagMs: 1e12 });
  fake.addUser("admin");
  if (hasMoto) moto = await startMoto();
});

afterAll(async () => {
  for (const close of closing.splice(0)) close();
  fake.close();
  await moto?.stop();
});

function witness(endpoint: AwsEndpoint, admin: AwsKeys, keys: Witness["keys"]): Witness {
  const as = (whose: AwsKeys, options: ClientOptions = {}) => {
    const clients = awsClients(endpoint, whose, { region: "us-east-1", ...options });
    closing.push(() => clients.close());
    return clients;
  };
  return { admin: as(admin), as, keys };
}

const fakeWitness = (): Witness =>
  witness(fake, fake.addKey("admin"), async (policies) => {
    const userName = fresh();
    fake.addUser(userName, policies);
    return { userName, ...fake.addKey(userName) };
  });

function motoWitness(): Witness {
  if (moto === undefined) throw new Error(noMoto);
  const { admin, addUser } = moto;
  return witness(moto, admin, async (policies) => {
    const userName = fresh();
    return { userName, ...(await addUser(userName, policies)) };
  });
}

const fresh = () => `x${randomBytes(8).toString("hex")}`;
const outcome = (call: Promise<unknown>) =>
  call.then(
    () => "ok",
    (error: Error) => error.name,
  );
const who = ({ sts }: AwsClients) => outcome(sts.send(new GetCallerIdentityCommand({})));

/** A secret with two versions, `one` current and `two` with a stage of its own. */
async function twoVersions({ admin }: Witness) {
  const [SecretId, first, second] = [fresh(), randomUUID(), randomUUID()];
  const one = { Name: SecretId, ClientRequestToken: first, SecretString: "one" };
  await admin.secrets.send(new secrets.CreateSecretCommand(one));
  const two = { SecretId, ClientRequestToken: second, SecretString: "two", VersionStages: ["own"] };
  await admin.secrets.send(new secrets.PutSecretValueCommand(two));
  const stage = (VersionStage: string, RemoveFromVersionId: string, MoveToVersionId?: string) =>
    admin.secrets.send(
      new secrets.UpdateSecretVersionStageCommand({
        SecretId,
        VersionStage,
        RemoveFromVersionId,
        ...(MoveToVersionId === undefined ? {} : { MoveToVersionId }),
      }),
    );
  return { SecretId, first, second, stage };
}

async function marked(witnessed: Witness): Promise<string> {
  const { SecretId } = await twoVersions(witnessed);
  await witnessed.admin.secrets.send(new secrets.DeleteSecretCommand({ SecretId, RecoveryWindowInDays: 7 }));
  return SecretId;
}

const iamPage = "https://docs.aws.amazon.com/IAM/latest/APIReference/";
const secretsPage = "https://docs.aws.amazon.com/secretsmanager/latest/apireference/";

const ofIdentity: readonly Difference[] = [
  {
    what: "an inactive key",
    documented: `${iamPage}API_UpdateAccessKey.html`,
    async ask({ admin, keys, as }) {
      const { userName: UserName, ...key } = await keys();
      const AccessKeyId = key.accessKeyId;
      await admin.iam.send(new iam.UpdateAccessKeyCommand({ UserName, AccessKeyId, Status: "Inactive" }));
      return who(as(key));
    },
    aws: "InvalidClientTokenId",
    moto: "ok",
  },
  {
    what: "a clock that is wrong by an hour",
    documented: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html",
    ask: async ({ keys, as }) => who(as(await keys(), { systemClockOffset: -3_600_000 })),
    aws: "SignatureDoesNotMatch",
    moto: "ok",
  },
  {
    what: "IAM, which is signed for us-east-1, signed for another region",
    documented: "https://docs.aws.amazon.com/general/latest/gr/iam-service.html",
    ask: async ({ keys, as }) =>
      outcome(as(await keys(), { region: "eu-central-1" }).iam.send(new iam.ListAccessKeysCommand({}))),
    aws: "SignatureDoesNotMatch",
    moto: "ok",
  },
  {
    what: "a key in the moment that it is made",
    documented:
      "https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency",
    async ask({ admin, keys, as }) {
      const { userName: UserName } = await keys();
      const { AccessKey } = await admin.iam.send(new iam.CreateAccessKeyCommand({ UserName }));
      const { AccessKeyId: accessKeyId = "", SecretAccessKey: secretAccessKey = "" } = AccessKey ?? {};
      return who(as({ accessKeyId, secretAccessKey }));
    },
    aws: "InvalidClientTokenId",
    moto: "ok",
  },
  {
    what: "a policy that names the resource",
    documented: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html",
    async ask({ admin, keys, as }) {
      const { userName: UserName } = await keys();
      const { User } = await admin.iam.send(new iam.GetUserCommand({ UserName }));
      const Statement = { Effect: "Allow", Action: "iam:ListAccessKeys", Resource: User?.Arn };
      const narrow = as(await keys([{ Version: "2012-10-17", Statement }]));
      return outcome(narrow.iam.send(new iam.ListAccessKeysCommand({ UserName })));
    },
    aws: "ok",
    moto: "AccessDenied",
  },
  {
    what: "a simulation of policies",
    documented: `${iamPage}API_SimulatePrincipalPolicy.html`,
    async ask({ admin, keys }) {
      const { User } = await admin.iam.send(new iam.GetUserCommand({ UserName: (await keys()).userName }));
      const input = { PolicySourceArn: User?.Arn, ActionNames: ["iam:CreateAccessKey"] };
      return outcome(admin.iam.send(new iam.SimulatePrincipalPolicyCommand(input)));
    },
    aws: "ok",
    moto: "Error",
  },
  {
    what: "at most one key of two, asked for with MaxItems",
    documented: `${iamPage}API_ListAccessKeys.html`,
    async ask({ admin, keys }) {
      const { userName: UserName } = await keys();
      await admin.iam.send(new iam.CreateAccessKeyCommand({ UserName }));
      const { AccessKeyMetadata, IsTruncated = false } = await admin.iam.send(
        new iam.ListAccessKeysCommand({ UserName, MaxItems: 1 }),
      );
      return { keys: AccessKeyMetadata?.length, IsTruncated };
    },
    aws: { keys: 1, IsTruncated: true },
    moto: { keys: 2, IsTruncated: false },
  },
  {
    what: "tags of a user that differ in case alone",
    documented: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules_creating",
    async ask({ admin, keys }) {
      const { userName: UserName } = await keys();
      for (const Key of ["claim", "CLAIM"])
        await admin.iam.send(new iam.TagUserCommand({ UserName, Tags: [{ Key, Value: "1" }] }));
      return (await admin.iam.send(new iam.ListUserTagsCommand({ UserName }))).Tags?.length;
    },
    aws: 1,
    moto: 2,
  },
];

const ofSecrets: readonly Difference[] = [
  {
    what: "a refusal for want of a right, in the service's own format",
    documented: `${secretsPage}CommonErrors.html`,
    ask: async ({ keys, as }) =>
      outcome(as(await keys([])).secrets.send(new secrets.DescribeSecretCommand({ SecretId: fresh() }))),
    aws: "AccessDeniedException",
    moto: "SyntaxError",
  },
  {
    what: "an unknown key, in the service's own format",
    documented: `${secretsPage}CommonErrors.html`,
    async ask({ keys, as }) {
      const key = { ...(await keys()), accessKeyId: "AKIAAAAAAAAAAAAAAAAA" };
      return outcome(as(key).secrets.send(new secrets.DescribeSecretCommand({ SecretId: fresh() })));
    },
    aws: "UnrecognizedClientException",
    moto: "SyntaxError",
  },
  {
    what: "the status of a secret that is not there",
    documented: `${secretsPage}API_GetSecretValue.html#API_GetSecretValue_Errors`,
    ask: ({ admin }) =>
      admin.secrets.send(new secrets.GetSecretValueCommand({ SecretId: fresh() })).catch((error: unknown) => {
        return (error as secrets.ResourceNotFoundException).$metadata.httpStatusCode;
      }),
    aws: 400,
    moto: 404,
  },
  {
    what: "the value without a stage, after AWSCURRENT has been moved",
    documented: `${secretsPage}API_GetSecretValue.html`,
    async ask(witnessed) {
      const { SecretId, first, second, stage } = await twoVersions(witnessed);
      await stage("AWSCURRENT", first, second);
      return (await witnessed.admin.secrets.send(new secrets.GetSecretValueCommand({ SecretId }))).SecretString;
    },
    aws: "two",
    moto: "one",
  },
  {
    what: "how many are current once a value is put after AWSCURRENT has been moved",
    documented: `${secretsPage}API_PutSecretValue.html`,
    async ask(witnessed) {
      const { SecretId, first, second, stage } = await twoVersions(witnessed);
      await stage("AWSCURRENT", first, second);
      const { secrets: client } = witnessed.admin;
      await client.send(new secrets.PutSecretValueCommand({ SecretId, SecretString: "three" }));
      const { VersionIdsToStages = {} } = await client.send(new secrets.DescribeSecretCommand({ SecretId }));
      return Object.values(VersionIdsToStages).filter((stages) => stages.includes("AWSCURRENT")).length;
    },
    aws: 1,
    moto: 2,
  },
  {
    what: "AWSCURRENT taken away and put nowhere",
    documented: `${secretsPage}API_UpdateSecretVersionStage.html`,
    async ask(witnessed) {
      const { first, stage } = await twoVersions(witnessed);
      return outcome(stage("AWSCURRENT", first));
    },
    aws: "InvalidParameterException",
    moto: "ok",
  },
  {
    what: "versions without a stage in a list that does not ask for them",
    documented: `${secretsPage}API_ListSecretVersionIds.html`,
    async ask(witnessed) {
      const { SecretId, second, stage } = await twoVersions(witnessed);
      await stage("own", second);
      const { Versions = [] } = await witnessed.admin.secrets.send(
        new secrets.ListSecretVersionIdsCommand({ SecretId, MaxResults: 100 }),
      );
      return Versions.some(({ VersionId }) => VersionId === second);
    },
    aws: false,
    moto: true,
  },
  {
    what: "the ARN in a list of versions",
    documented: `${secretsPage}API_ListSecretVersionIds.html#API_ListSecretVersionIds_ResponseSyntax`,
    async ask(witnessed) {
      const { SecretId } = await twoVersions(witnessed);
      const { ARN } = await witnessed.admin.secrets.send(new secrets.ListSecretVersionIdsCommand({ SecretId }));
      return ARN?.startsWith("arn:aws:secretsmanager:us-east-1:");
    },
    aws: true,
    moto: false,
  },
  {
    what: "a value put into a secret that is marked for deletion",
    documented: `${secretsPage}API_PutSecretValue.html#API_PutSecretValue_Errors`,
    ask: async (witnessed) =>
      outcome(
        witnessed.admin.secrets.send(
          new secrets.PutSecretValueCommand({ SecretId: await marked(witnessed), SecretString: "three" }),
        ),
      ),
    aws: "InvalidRequestException",
    moto: "ok",
  },
  {
    what: "the name of a secret that is marked for deletion",
    documented: `${secretsPage}API_CreateSecret.html#API_CreateSecret_Errors`,
    ask: async (witnessed) =>
      outcome(
        witnessed.admin.secrets.send(
          new secrets.CreateSecretCommand({ Name: await marked(witnessed), SecretString: "x" }),
        ),
      ),
    aws: "InvalidRequestException",
    moto: "ResourceExistsException",
  },
  {
    what: "the name of a secret that was deleted by force a moment ago",
    documented: `${secretsPage}API_DeleteSecret.html`,
    async ask(witnessed) {
      const { SecretId } = await twoVersions(witnessed);
      const { secrets: client } = witnessed.admin;
      await client.send(new secrets.DeleteSecretCommand({ SecretId, ForceDeleteWithoutRecovery: true }));
      return outcome(client.send(new secrets.CreateSecretCommand({ Name: SecretId, SecretString: "x" })));
    },
    aws: "InvalidRequestException",
    moto: "ok",
  },
  {
    what: "a rotation without a function for it",
    documented: `${secretsPage}API_RotateSecret.html#API_RotateSecret_Errors`,
    async ask(witnessed) {
      const { SecretId } = await twoVersions(witnessed);
      return outcome(witnessed.admin.secrets.send(new secrets.RotateSecretCommand({ SecretId })));
    },
    aws: "InvalidRequestException",
    moto: "ok",
  },
  {
    what: "more than a hundred versions in a day",
    documented: "https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html",
    async ask(witnessed) {
      const { SecretId } = await twoVersions(witnessed);
      let last = "ok";
      for (let at = 2; at <= 100 && last === "ok"; at++)
        last = await outcome(
          witnessed.admin.secrets.send(new secrets.PutSecretValueCommand({ SecretId, SecretString: String(at) })),
        );
      return last;
    },
    aws: "LimitExceededException",
    moto: "ok",
  },
];

const differences = [...ofIdentity, ...ofSecrets];

describe("where moto differs, the stand-in does what AWS documents", () => {
  test.each(differences)("$what", async ({ ask, aws, documented }) => {
    expect(await ask(fakeWitness()), documented).toEqual(aws);
  });
});

describe("moto differs from AWS's documentation", () => {
  beforeEach((context) => {
    needs(context, hasMoto, noMoto);
  });

  test.each(differences)("$what", async ({ ask, aws, moto: instead, documented }) => {
    const answered = await ask(motoWitness());
    const says = `moto is mended: take this line away. ${documented}`;
    expect(answered, says).not.toEqual(aws);
    expect(answered, "moto differs in a new way").toEqual(instead);
  });
});
