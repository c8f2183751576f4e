import { randomUUID } from "node:crypto";
import * as secrets from "@aws-sdk/client-secrets-manager";
import { fresh, outcome, type Difference, type Witness } from "./difference.ts";

const secretsPage = "https://docs.aws.amazon.com/secretsmanager/latest/apireference/";

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

export const differencesOfSecrets: readonly Difference[] = [
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
