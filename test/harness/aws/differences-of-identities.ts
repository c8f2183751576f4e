import * as iam from "@aws-sdk/client-iam";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import type { AwsClients } from "./clients.ts";
import { outcome, type Difference } from "./difference.ts";

const iamPage = "https://docs.aws.amazon.com/IAM/latest/APIReference/";
const who = ({ sts }: AwsClients) => outcome(sts.send(new GetCallerIdentityCommand({})));

export const differencesOfIdentities: readonly Difference[] = [
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
