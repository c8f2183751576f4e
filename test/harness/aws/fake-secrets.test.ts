import { randomBytes, randomUUID } from "node:crypto";
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetResourcePolicyCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  ListSecretsCommand,
  PutSecretValueCommand,
  RestoreSecretCommand,
  TagResourceCommand,
  UpdateSecretVersionStageCommand,
  type PutSecretValueCommandInput,
} from "@aws-sdk/client-secrets-manager";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { awsClients, type AwsClients, type AwsKeys } from "./clients.ts";
import { FakeAws } from "./fake-aws.ts";
import { gentle, type FakeAwsSettings } from "./settings.ts";

let aws: FakeAws;
let client: AwsClients["secrets"];
const closing: (() => void)[] = [];
const region = "eu-central-1";

beforeEach(() => start({}));

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function start(settings: Partial<FakeAwsSettings>): Promise<void> {
  aws = await FakeAws.start({ ...gentle, withoutStage: "current", ...settings });
  closing.push(() => aws.close());
  aws.addUser("admin");
  client = as(aws.addKey("admin"));
}

function as(keys: AwsKeys, where = region): AwsClients["secrets"] {
  const clients = awsClients(aws, keys, { region: where });
  closing.push(() => clients.close());
  return clients.secrets;
}

const refusal = (call: Promise<unknown>) =>
  call.then(
    () => "it succeeded",
    (error: unknown) => error,
  );
const fresh = () => randomBytes(12).toString("hex");
const create = async (Name = `shop/${fresh()}`) => {
  const SecretString = fresh();
  const { VersionId = "" } = await client.send(new CreateSecretCommand({ Name, SecretString }));
  return { Name, VersionId, SecretString };
};
const put = (SecretId: string, more: Partial<PutSecretValueCommandInput> = {}) =>
  client.send(new PutSecretValueCommand({ SecretId, SecretString: fresh(), ...more }));
const read = (SecretId: string, more: { VersionId?: string; VersionStage?: string } = {}) =>
  client.send(new GetSecretValueCommand({ SecretId, ...more }));
const stages = async (SecretId: string) =>
  (await client.send(new DescribeSecretCommand({ SecretId }))).VersionIdsToStages;

describe("values", () => {
  test("each new value is current and the one before it previous; the one before that has no stage", async () => {
    const { Name, VersionId: first, SecretString } = await create();
    expect(await read(Name)).toMatchObject({ SecretString, VersionId: first, VersionStages: ["AWSCURRENT"] });
    const second = await put(Name);
    expect(await read(Name, { VersionStage: "AWSPREVIOUS" })).toMatchObject({ SecretString });
    const third = await put(Name);
    expect(await stages(Name)).toEqual({
      [third.VersionId ?? ""]: ["AWSCURRENT"],
      [second.VersionId ?? ""]: ["AWSPREVIOUS"],
    });
    expect(await read(Name, { VersionId: first })).toMatchObject({ SecretString, VersionStages: [] });
  });

  test("a token again with the same content does nothing, with other content it is refused", async () => {
    const { Name } = await create();
    const [ClientRequestToken, SecretString] = [randomUUID(), fresh()];
    await put(Name, { ClientRequestToken, SecretString });
    const last = await put(Name);
    expect(await put(Name, { ClientRequestToken, SecretString })).toMatchObject({ VersionStages: ["AWSPREVIOUS"] });
    expect(await read(Name)).toMatchObject({ VersionId: last.VersionId });
    expect(await refusal(put(Name, { ClientRequestToken }))).toMatchObject({ name: "ResourceExistsException" });
    expect(await read(Name, { VersionId: ClientRequestToken })).toMatchObject({ SecretString });
  });

  test("making a secret again is the same: by its token a success, otherwise there is one already", async () => {
    const Name = fresh();
    const input = { Name, ClientRequestToken: randomUUID(), SecretString: fresh() };
    const made = await client.send(new CreateSecretCommand(input));
    expect(await client.send(new CreateSecretCommand(input))).toMatchObject({ ARN: made.ARN });
    const other = client.send(new CreateSecretCommand({ ...input, SecretString: fresh() }));
    expect(await refusal(other)).toMatchObject({ name: "ResourceExistsException" });
    expect(await refusal(create(Name))).toMatchObject({ name: "ResourceExistsException" });
  });

  test("a stage of one's own is no AWSCURRENT, except for the very first version", async () => {
    const { Name, VersionId } = await create();
    await put(Name, { VersionStages: ["rekey"] });
    expect(await read(Name)).toMatchObject({ VersionId });
    const empty = fresh();
    await client.send(new CreateSecretCommand({ Name: empty }));
    expect(await refusal(read(empty))).toMatchObject({ name: "ResourceNotFoundException" });
    expect((await put(empty, { VersionStages: ["rekey"] })).VersionStages).toEqual(["rekey", "AWSCURRENT"]);
  });

  test("whoever names no stage can be made to get what is not current, as in moto", async () => {
    await start({ withoutStage: "another" });
    const { Name, VersionId } = await create();
    expect(await read(Name)).toMatchObject({ VersionId });
    const stray = await put(Name, { VersionStages: ["AWSPENDING"] });
    expect(await read(Name)).toMatchObject({ VersionId: stray.VersionId });
    expect(await read(Name, { VersionStage: "AWSCURRENT" })).toMatchObject({ VersionId });
    expect(await read(Name, { VersionId })).toMatchObject({ VersionId });
  });

  test("bytes come back as they were, a version and a stage that disagree are refused", async () => {
    const { Name, VersionId } = await create();
    const SecretBinary = randomBytes(40);
    await client.send(new PutSecretValueCommand({ SecretId: Name, SecretBinary }));
    expect(Buffer.from((await read(Name)).SecretBinary ?? [])).toEqual(SecretBinary);
    const both = read(Name, { VersionId, VersionStage: "AWSCURRENT" });
    expect(await refusal(both)).toMatchObject({ name: "InvalidRequestException" });
    expect(await refusal(put(Name, { SecretBinary }))).toMatchObject({ name: "InvalidParameterException" });
  });

  test("too many versions of one day are refused; older ones without a stage make room", async () => {
    const { Name } = await create();
    for (let at = 1; at < 100; at++) await put(Name);
    expect(await refusal(put(Name))).toMatchObject({ name: "LimitExceededException" });
    await start({ deprecatedKeptMs: 0 });
    const other = await create();
    for (let at = 0; at < 105; at++) await put(other.Name);
    expect(aws.secrets.find(region, other.Name)?.versions.size).toBe(100);
    expect(await refusal(read(other.Name, { VersionId: other.VersionId }))).toMatchObject({
      name: "ResourceNotFoundException",
    });
  });
});

describe("stages", () => {
  test("one that lies elsewhere moves only away from where the call says", async () => {
    const { Name, VersionId: first } = await create();
    const { VersionId: second = "" } = await put(Name, { VersionStages: ["rekey"] });
    const move = (RemoveFromVersionId?: string) =>
      client.send(
        new UpdateSecretVersionStageCommand({
          SecretId: Name,
          VersionStage: "AWSCURRENT",
          MoveToVersionId: second,
          ...(RemoveFromVersionId === undefined ? {} : { RemoveFromVersionId }),
        }),
      );
    expect(await refusal(move())).toMatchObject({ name: "InvalidParameterException" });
    expect(await refusal(move(second))).toMatchObject({ name: "InvalidParameterException" });
    await move(first);
    expect(await stages(Name)).toEqual({ [first]: ["AWSPREVIOUS"], [second]: ["rekey", "AWSCURRENT"] });
    expect(await read(Name)).toMatchObject({ VersionId: second });
  });

  test("one can be taken away, AWSCURRENT cannot; a version without any is listed only when asked for", async () => {
    const { Name, VersionId: first } = await create();
    const { VersionId: second = "" } = await put(Name, { VersionStages: ["rekey"] });
    const remove = (VersionStage: string, RemoveFromVersionId: string) =>
      client.send(new UpdateSecretVersionStageCommand({ SecretId: Name, VersionStage, RemoveFromVersionId }));
    await remove("rekey", second);
    expect(await refusal(remove("AWSCURRENT", first))).toMatchObject({ name: "InvalidParameterException" });
    const listed = await client.send(new ListSecretVersionIdsCommand({ SecretId: Name }));
    expect(listed.Versions).toMatchObject([{ VersionId: first }]);
    const page = { SecretId: Name, IncludeDeprecated: true };
    const { Versions, NextToken } = await client.send(new ListSecretVersionIdsCommand(page));
    expect(Versions).toMatchObject([{ VersionId: first }]);
    const more = await client.send(new ListSecretVersionIdsCommand({ ...page, NextToken }));
    expect(more.Versions).toMatchObject([{ VersionId: second }]);
    expect(more.NextToken).toBeUndefined();
  });
});

describe("the end of a secret", () => {
  test("one that is marked answers to nothing but a look and its restoration", async () => {
    const { Name, SecretString } = await create();
    await client.send(new DeleteSecretCommand({ SecretId: Name, RecoveryWindowInDays: 7 }));
    for (const call of [read(Name), put(Name), create(Name)])
      expect(await refusal(call)).toMatchObject({ name: "InvalidRequestException" });
    const described = await client.send(new DescribeSecretCommand({ SecretId: Name }));
    expect(described.DeletedDate).toBeInstanceOf(Date);
    await client.send(new RestoreSecretCommand({ SecretId: Name }));
    expect(await read(Name)).toMatchObject({ SecretString });
  });

  test("by force it is gone at once and again without complaint, but its name is taken for a while", async () => {
    const { Name } = await create();
    const force = () => client.send(new DeleteSecretCommand({ SecretId: Name, ForceDeleteWithoutRecovery: true }));
    await force();
    await force();
    expect(await refusal(read(Name))).toMatchObject({ name: "ResourceNotFoundException" });
    expect(await refusal(create(Name))).toMatchObject({ name: "InvalidRequestException" });
    await start({ forcedDeletionMs: 0 });
    await create(Name);
    await force();
    await create(Name);
  });
});

describe("who may, and where", () => {
  test("a secret is in its region alone, by name, ARN or the ARN's beginning", async () => {
    const { Name } = await create();
    const arn = aws.secrets.find(region, Name)?.arn ?? "";
    for (const id of [arn, arn.replace(/-.{6}$/, "")]) expect(await read(id)).toMatchObject({ Name, ARN: arn });
    const elsewhere = as(aws.addKey("admin"), "eu-north-1").send(new GetSecretValueCommand({ SecretId: Name }));
    expect(await refusal(elsewhere)).toMatchObject({ name: "ResourceNotFoundException" });
    const nowhere = as(aws.addKey("admin"), "mars-1").send(new GetSecretValueCommand({ SecretId: Name }));
    expect(await refusal(nowhere)).toMatchObject({ name: "InvalidSignatureException" });
  });

  test("policies are judged by the secret's ARN; what is not there has no ending of its own", async () => {
    const { Name } = await create("shop/db");
    aws.addUser("rekey", [
      {
        Version: "2012-10-17",
        Statement: {
          Effect: "Allow",
          Action: ["secretsmanager:GetSecretValue", "secretsmanager:CreateSecret"],
          Resource: [
            `arn:aws:secretsmanager:${region}:*:secret:shop/db-??????`,
            `arn:aws:secretsmanager:${region}:*:secret:own/*`,
          ],
        },
      },
    ]);
    const rekey = as(aws.addKey("rekey"));
    const get = (SecretId: string) => refusal(rekey.send(new GetSecretValueCommand({ SecretId })));
    await rekey.send(new GetSecretValueCommand({ SecretId: Name }));
    expect(await get("shop/other")).toMatchObject({
      name: "AccessDeniedException",
      $metadata: { httpStatusCode: 400 },
    });
    expect(await get("own/absent")).toMatchObject({ name: "ResourceNotFoundException" });
    const tagged = { Name: "own/one", SecretString: fresh(), Tags: [{ Key: "team", Value: "shop" }] };
    expect(await refusal(rekey.send(new CreateSecretCommand(tagged)))).toMatchObject({ name: "AccessDeniedException" });
    expect(
      await refusal(rekey.send(new PutSecretValueCommand({ SecretId: Name, SecretString: fresh() }))),
    ).toMatchObject({
      name: "AccessDeniedException",
    });
  });

  test("an unknown key and another secret are told apart, in this service's words", async () => {
    const key = aws.addKey("admin");
    const get = (keys: AwsKeys) => refusal(as(keys).send(new GetSecretValueCommand({ SecretId: "x" })));
    expect(await get({ ...key, accessKeyId: "AKIAAAAAAAAAAAAAAAAA" })).toMatchObject({
      name: "UnrecognizedClientException",
    });
    expect(await get({ ...key, secretAccessKey: fresh() })).toMatchObject({ name: "InvalidSignatureException" });
    expect(await get({ ...key, accessKeyId: aws.addKey("admin", "Inactive").accessKeyId })).toMatchObject({
      name: "UnrecognizedClientException",
    });
  });

  test("a key of the customer's needs rights of its own", async () => {
    const KmsKeyId = `arn:aws:kms:${region}:${aws.identities.account}:key/${randomUUID()}`;
    await client.send(new CreateSecretCommand({ Name: "sealed", SecretString: fresh(), KmsKeyId }));
    const allow = (Action: string, Resource: string) => ({
      Version: "2012-10-17",
      Statement: { Effect: "Allow", Action, Resource },
    });
    aws.addUser("rekey", [allow("secretsmanager:*", "*")]);
    const rekey = as(aws.addKey("rekey"));
    const get = () => rekey.send(new GetSecretValueCommand({ SecretId: "sealed" }));
    expect(await refusal(get())).toMatchObject({ name: "AccessDeniedException" });
    aws.setPolicies("rekey", [allow("secretsmanager:*", "*"), allow("kms:Decrypt", KmsKeyId)]);
    await get();
  });
});

test("tags and a policy of the secret's own can be seen; an operation the fake does not know is refused", async () => {
  const { Name } = await create();
  await client.send(new TagResourceCommand({ SecretId: Name, Tags: [{ Key: "team", Value: "shop" }] }));
  const { Tags } = await client.send(new DescribeSecretCommand({ SecretId: Name }));
  expect(Tags).toEqual([{ Key: "team", Value: "shop" }]);
  const policy = () => client.send(new GetResourcePolicyCommand({ SecretId: Name }));
  expect((await policy()).ResourcePolicy).toBeUndefined();
  Object.assign(aws.secrets.find(region, Name) ?? {}, { resourcePolicy: "{}" });
  expect((await policy()).ResourcePolicy).toBe("{}");
  expect(await refusal(client.send(new ListSecretsCommand({})))).toMatchObject({ name: "UnknownOperationException" });
});

test("throttling has this service's name, and no call in the log has a value", async () => {
  await start({ throttling: 1 });
  expect(await refusal(read("x"))).toMatchObject({ name: "ThrottlingException" });
  await start({});
  const { SecretString } = await create();
  expect(aws.calls).toMatchObject([{ service: "secretsmanager", action: "CreateSecret", outcome: "ok" }]);
  expect(JSON.stringify(aws.calls)).not.toContain(SecretString);
});
