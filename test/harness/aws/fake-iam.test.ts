import { randomBytes } from "node:crypto";
import {
  CreateAccessKeyCommand,
  DeleteAccessKeyCommand,
  GetAccessKeyLastUsedCommand,
  GetUserCommand,
  ListAccessKeysCommand,
  ListUserTagsCommand,
  paginateListAccessKeys,
  SimulatePrincipalPolicyCommand,
  TagUserCommand,
  UntagUserCommand,
  UpdateAccessKeyCommand,
} from "@aws-sdk/client-iam";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { awsClients, type AwsClients, type AwsKeys, type ClientOptions } from "./clients.ts";
import { FakeAws } from "./fake-aws.ts";
import { gentle } from "./settings.ts";

let aws: FakeAws;
let admin: AwsClients;
const opened: AwsClients[] = [];

beforeEach(async () => {
  aws = await FakeAws.start(gentle);
  aws.addUser("admin");
  aws.addUser("shop", []);
  admin = as(aws.addKey("admin"));
});

afterEach(() => {
  for (const clients of opened.splice(0)) clients.close();
  aws.close();
});

function as(keys: AwsKeys, options: ClientOptions = {}): AwsClients {
  const clients = awsClients(aws, keys, { region: "us-east-1", ...options });
  opened.push(clients);
  return clients;
}

const refusal = (call: Promise<unknown>) =>
  call.then(
    () => "it succeeded",
    (error: unknown) => error,
  );
const create = async () => {
  const { AccessKey } = await admin.iam.send(new CreateAccessKeyCommand({ UserName: "shop" }));
  return { accessKeyId: AccessKey?.AccessKeyId ?? "", secretAccessKey: AccessKey?.SecretAccessKey ?? "" };
};
const status = (AccessKeyId: string, Status: "Active" | "Inactive") =>
  admin.iam.send(new UpdateAccessKeyCommand({ UserName: "shop", AccessKeyId, Status }));
const whoIs = (keys: AwsKeys, options?: ClientOptions) => as(keys, options).sts.send(new GetCallerIdentityCommand({}));

describe("access keys", () => {
  test("a made key says who its user is, until it is inactive, and again once it is active, until it is deleted", async () => {
    const key = await create();
    expect(await whoIs(key)).toMatchObject({
      Account: aws.identities.account,
      Arn: expect.stringMatching(/user\/shop$/),
    });
    await status(key.accessKeyId, "Inactive");
    expect(await refusal(whoIs(key))).toMatchObject({
      name: "InvalidClientTokenId",
      $metadata: { httpStatusCode: 403 },
    });
    await status(key.accessKeyId, "Active");
    await whoIs(key);
    await admin.iam.send(new DeleteAccessKeyCommand({ UserName: "shop", AccessKeyId: key.accessKeyId }));
    expect(await refusal(whoIs(key))).toMatchObject({ name: "InvalidClientTokenId" });
    expect(aws.acceptsNow(key.accessKeyId, key.secretAccessKey)).toBe(false);
  });

  test("a third one is refused, an inactive one counts", async () => {
    const key = await create();
    await create();
    await status(key.accessKeyId, "Inactive");
    expect(await refusal(create())).toMatchObject({
      name: "LimitExceededException",
      $metadata: { httpStatusCode: 409 },
    });
    expect(aws.keysOf("shop").map((each) => each.status)).toEqual(["Inactive", "Active"]);
  });

  test("a list comes a page at a time, and never with a secret", async () => {
    const made = [await create(), await create()];
    const first = await admin.iam.send(new ListAccessKeysCommand({ UserName: "shop" }));
    expect(first).toMatchObject({ IsTruncated: true, Marker: expect.any(String) });
    expect(first.AccessKeyMetadata).toHaveLength(1);
    const found = [];
    for await (const { AccessKeyMetadata } of paginateListAccessKeys({ client: admin.iam }, { UserName: "shop" }))
      found.push(...(AccessKeyMetadata ?? []));
    expect(new Set(found.map((key) => key.AccessKeyId))).toEqual(new Set(made.map((key) => key.accessKeyId)));
    expect(JSON.stringify(found)).not.toContain(made[0]?.secretAccessKey);
  });

  test("another user's key and an unknown user are not found", async () => {
    const { accessKeyId: AccessKeyId } = aws.addKey("admin");
    const wrongUser = admin.iam.send(new DeleteAccessKeyCommand({ UserName: "shop", AccessKeyId }));
    expect(await refusal(wrongUser)).toMatchObject({ name: "NoSuchEntityException" });
    const nobody = admin.iam.send(new ListAccessKeysCommand({ UserName: "nobody" }));
    expect(await refusal(nobody)).toMatchObject({ name: "NoSuchEntityException", $metadata: { httpStatusCode: 404 } });
  });

  test("when a key was last used is known for the first use in a span, and not before", async () => {
    const key = await create();
    const lastUse = async () =>
      (await admin.iam.send(new GetAccessKeyLastUsedCommand({ AccessKeyId: key.accessKeyId }))).AccessKeyLastUsed;
    expect(await lastUse()).toEqual({ ServiceName: "N/A", Region: "N/A" });
    await whoIs(key, { region: "eu-north-1" });
    const first = await lastUse();
    expect(first).toMatchObject({ ServiceName: "sts", Region: "eu-north-1", LastUsedDate: expect.any(Date) });
    await whoIs(key);
    expect(await lastUse()).toEqual(first);
  });
});

describe("users", () => {
  test("tags are kept, keys that differ in case are one, and they can be taken away", async () => {
    const tag = (Key: string, Value: string) =>
      admin.iam.send(new TagUserCommand({ UserName: "shop", Tags: [{ Key, Value }] }));
    await tag("rekey:claim", "one/two=3");
    await tag("Rekey:Claim", "four");
    await tag("team", "");
    expect(aws.tagsOf("shop")).toEqual({ "Rekey:Claim": "four", team: "" });
    const listed = await admin.iam.send(new ListUserTagsCommand({ UserName: "shop" }));
    expect(listed).toMatchObject({ Tags: [{ Key: "Rekey:Claim", Value: "four" }], IsTruncated: true });
    await admin.iam.send(new UntagUserCommand({ UserName: "shop", TagKeys: ["rekey:claim"] }));
    const { User } = await admin.iam.send(new GetUserCommand({ UserName: "shop" }));
    expect(User).toMatchObject({ UserName: "shop", Path: "/", Tags: [{ Key: "team", Value: "" }] });
    expect(await refusal(tag("semi;colon", "x"))).toMatchObject({ name: "ValidationError" });
  });

  test("simulation says what a user's policies allow, page by page", async () => {
    const arn = `arn:aws:iam::${aws.identities.account}:user/shop`;
    aws.setPolicies("shop", [
      {
        Version: "2012-10-17",
        Statement: [
          { Effect: "Allow", Action: ["iam:*AccessKey*"], Resource: arn },
          { Effect: "Deny", Action: "iam:DeleteAccessKey", Resource: "*" },
        ],
      },
    ]);
    const decisions: unknown[] = [];
    for (let Marker: string | undefined; ;) {
      const answer = await admin.iam.send(
        new SimulatePrincipalPolicyCommand({
          PolicySourceArn: arn,
          ActionNames: ["iam:CreateAccessKey", "iam:DeleteAccessKey", "iam:TagUser"],
          ResourceArns: [arn],
          ...(Marker === undefined ? {} : { Marker }),
        }),
      );
      decisions.push(...(answer.EvaluationResults ?? []).map(({ EvalDecision }) => EvalDecision));
      if (answer.IsTruncated !== true) break;
      Marker = answer.Marker;
    }
    expect(decisions).toEqual(["allowed", "explicitDeny", "implicitDeny"]);
  });
});

describe("a condition", () => {
  test("is judged at a call; a simulation knows nothing of the call, and says what it would have to know", async () => {
    const arn = aws.addUser("regional", [], "/robots/");
    const Condition = { StringEquals: { "aws:RequestedRegion": "us-east-1" } };
    const Statement = { Effect: "Allow", Action: "iam:ListAccessKeys", Resource: "*", Condition };
    aws.setPolicies("regional", [{ Version: "2012-10-17", Statement }]);
    const key = aws.addKey("regional");
    await whoIs(key);
    await as(key).iam.send(new ListAccessKeysCommand({ UserName: "regional" }));
    const simulate = async (ResourceArns: string[]) => {
      const asked = { PolicySourceArn: arn, ActionNames: ["iam:ListAccessKeys"], ResourceArns };
      const { EvaluationResults = [] } = await admin.iam.send(new SimulatePrincipalPolicyCommand(asked));
      return EvaluationResults[0];
    };
    const MissingContextValues = ["aws:RequestedRegion"];
    expect(await simulate(["*"])).toMatchObject({ EvalDecision: "implicitDeny", MissingContextValues });
    expect(await simulate([arn])).toMatchObject({
      EvalDecision: "implicitDeny",
      MissingContextValues: [],
      ResourceSpecificResults: [{ EvalResourceDecision: "implicitDeny", MissingContextValues }],
    });
    aws.setPolicies("regional", [
      {
        Version: "2012-10-17",
        Statement: { ...Statement, Condition: { StringEquals: { "aws:RequestedRegion": "eu-west-1" } } },
      },
    ]);
    expect(await refusal(as(key).iam.send(new ListAccessKeysCommand({ UserName: "regional" })))).toMatchObject({
      name: "AccessDenied",
    });
  });
});

describe("who may", () => {
  test("only what a policy allows, on the user that it names; asking who one is needs none", async () => {
    const arn = aws.addUser("rekey", [], "/robots/");
    const key = aws.addKey("rekey");
    await whoIs(key);
    const list = (UserName: string) => as(key).iam.send(new ListAccessKeysCommand({ UserName }));
    expect(await refusal(list("rekey"))).toMatchObject({ name: "AccessDenied", $metadata: { httpStatusCode: 403 } });
    aws.setPolicies("rekey", [
      { Version: "2012-10-17", Statement: { Effect: "Allow", Action: "iam:ListAccessKeys", Resource: arn } },
    ]);
    await list("rekey");
    expect(await refusal(list("shop"))).toMatchObject({ name: "AccessDenied" });
    expect(await refusal(list("nobody"))).toMatchObject({ name: "AccessDenied" });
  });

  test("a policy that the fake would misjudge is refused when it is given", () => {
    const statement = { Effect: "Allow", Action: "*", Resource: "*" };
    for (const more of [{ NotAction: "*" }, { Condition: { IpAddress: { "aws:SourceIp": "192.0.2.1" } } }]) {
      const Statement = { ...statement, ...more };
      expect(() => aws.setPolicies("shop", [{ Version: "2012-10-17", Statement }])).toThrow(/NotAction|IpAddress/);
    }
  });
});

describe("signatures", () => {
  test("an unknown key, another secret, another service's scope and a strange region are told apart", async () => {
    const key = aws.addKey("shop");
    const secretAccessKey = randomBytes(30).toString("base64");
    const unknown = { ...key, accessKeyId: key.accessKeyId.replace(/.$/, (last) => (last === "A" ? "B" : "A")) };
    expect(await refusal(whoIs(unknown))).toMatchObject({ name: "InvalidClientTokenId" });
    expect(await refusal(whoIs({ ...key, secretAccessKey }))).toMatchObject({
      name: "SignatureDoesNotMatch",
      $metadata: { httpStatusCode: 403 },
    });
    expect(await refusal(whoIs(key, { region: "mars-1" }))).toMatchObject({
      name: "SignatureDoesNotMatch",
      message: expect.stringContaining("'mars-1'"),
    });
    const regional = as(key, { region: "eu-central-1" });
    // IAM is signed for us-east-1, wherever one is.
    expect(await refusal(regional.iam.send(new GetUserCommand({})))).toMatchObject({ name: "SignatureDoesNotMatch" });
  });

  test("a clock that is wrong by more than five minutes is refused, either way", async () => {
    const key = aws.addKey("shop");
    for (const systemClockOffset of [-290_000, 290_000]) await whoIs(key, { systemClockOffset });
    expect(await refusal(whoIs(key, { systemClockOffset: -310_000 }))).toMatchObject({
      name: "SignatureDoesNotMatch",
      message: expect.stringContaining("Signature expired"),
    });
    expect(await refusal(whoIs(key, { systemClockOffset: 310_000 }))).toMatchObject({
      message: expect.stringContaining("not yet current"),
    });
  });

  test("temporary credentials need their token, and end", async () => {
    const session = aws.addSession("shop", 60_000);
    expect(await whoIs(session)).toMatchObject({ Arn: expect.stringContaining("shop") });
    const { accessKeyId, secretAccessKey } = session;
    expect(await refusal(whoIs({ accessKeyId, secretAccessKey }))).toMatchObject({ name: "InvalidClientTokenId" });
    expect(await refusal(whoIs({ ...aws.addKey("shop"), sessionToken: "made up" }))).toMatchObject({
      name: "InvalidClientTokenId",
    });
    expect(await refusal(whoIs(aws.addSession("shop", -1)))).toMatchObject({
      name: expect.stringMatching(/^ExpiredToken/),
    });
  });
});
