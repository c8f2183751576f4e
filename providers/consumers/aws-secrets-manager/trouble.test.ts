import { randomBytes } from "node:crypto";
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
} from "@aws-sdk/client-secrets-manager";
import { describe, expect, onTestFinished, test } from "vitest";
import { RekeyError } from "../../../domain/errors.ts";
import { adminOf, contextFor, policyIn, settingsAt } from "../../../test/harness/aws-settings.ts";
import { awsClients, type AwsKeys } from "../../../test/harness/aws/clients.ts";
import { AwsFault } from "../../../test/harness/aws/fault.ts";
import { FakeAws } from "../../../test/harness/aws/fake-aws.ts";
import { gentle, type FakeAwsSettings } from "../../../test/harness/aws/settings.ts";
import { typeid } from "typeid-js";
import type { Delivery } from "../../contract/consumer.ts";
import { Secret } from "../../contract/secret.ts";
import type { AwsSecretConfig } from "./config.ts";
import { aws as awsKind } from "./connection.ts";
import { awsSecretsManager } from "./definition.ts";

const region = "eu-central-1";
const byKeys: AwsSecretConfig = { secret: "shop/orders", keys: { password: "password" } };
const freshText = () => randomBytes(18).toString("base64url");
const delivery = (number: number, text = freshText(), expected?: string): Delivery => ({
  version: number,
  number: { epoch: 1, number },
  value: { username: "orders", password: new Secret(text) },
  ...(expected === undefined ? {} : { expected }),
});

/** The policy that people are told to give. */
const policyOfThePage = async (account: string) =>
  policyIn(new URL("../../../docs/aws.md", import.meta.url), "The user that writes secrets", account);

async function place(text: string | undefined, settings: Partial<FakeAwsSettings> = gentle) {
  const fake = await FakeAws.start(settings);
  onTestFinished(() => fake.close());
  const { account } = fake.identities;
  fake.addUser("rekey", [await policyOfThePage(account)]);
  fake.addUser("application");
  const { secrets: outside, close } = awsClients(fake, fake.addKey("application"), { maxAttempts: 9 });
  onTestFinished(close);
  const SecretId = "shop/orders";
  await outside.send(
    new CreateSecretCommand({ Name: SecretId, ...(text === undefined ? {} : { SecretString: text }) }),
  );
  const key = fake.addKey("rekey");
  const connection = { ...settingsAt(fake, account, key), secrets: { shop: ["shop/"] } };
  const consumer = typeid("con").toString();
  const digestKey = randomBytes(32);
  return {
    fake,
    outside,
    connection,
    key,
    open: async (config = byKeys, how: { consumer?: string; key?: AwsKeys; connection?: typeof connection } = {}) =>
      awsSecretsManager.open(
        {
          config: awsSecretsManager.configSchema.parse(config),
          connection: { settings: how.connection ?? connection, secret: adminOf(how.key ?? key) },
          allowed: { roots: [], reloads: {} },
          consumer: how.consumer ?? consumer,
          digestKey,
        },
        contextFor([fake.url]),
      ),
    put: async (to: string, stages?: string[]) =>
      outside.send(
        new PutSecretValueCommand({
          SecretId,
          SecretString: to,
          ...(stages === undefined ? {} : { VersionStages: stages }),
        }),
      ),
    read: async () =>
      (await outside.send(new GetSecretValueCommand({ SecretId, VersionStage: "AWSCURRENT" }))).SecretString,
    writes: () => fake.calls.filter(({ action }) => ["PutSecretValue", "UpdateSecretVersionStage"].includes(action)),
  };
}

async function failing(work: Promise<unknown>): Promise<RekeyError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RekeyError) return error;
  throw new Error("it has to fail in our words", { cause: error });
}

describe("the secret", () => {
  test("keeps what is not ours to the last digit, and is written with the policy of the page alone", async () => {
    const { open, read } = await place('{"id": 12345678901234567890, "rate": 1.10, "password": "", "a": {"b": [1e3]}}');
    await (await open()).deliver(delivery(1, "first"));
    expect(await read()).toBe('{"id":12345678901234567890,"rate":1.10,"password":"first","a":{"b":[1e3]}}');
  });

  test("that is plain text is ours as a whole", async () => {
    const { open, read } = await place("by hand");
    const session = await open({ secret: "shop/orders", whole: "password" });
    expect((await session.observe()).isEmpty).toBe(false);
    await session.deliver(delivery(1, "it's all"));
    expect(await read()).toBe("it's all");
  });

  test("that was made without a value takes the first one, and the next", async () => {
    const { open, read } = await place(undefined);
    const session = await open();
    expect(await session.observe()).toMatchObject({ isEmpty: true });
    for (const number of [1, 2]) {
      const text = freshText();
      await session.deliver(delivery(number, text));
      expect(JSON.parse((await read()) ?? "")).toEqual({ password: text });
    }
  });

  test("brings the previous version back as any other delivery does, and AWS keeps what was there before", async () => {
    const { open, read, fake } = await place("{}");
    const session = await open();
    const [first, second] = [freshText(), freshText()];
    await session.deliver(delivery(1, first));
    await session.deliver(delivery(2, second));
    await session.deliver(delivery(3, first));
    expect(JSON.parse((await read()) ?? "")).toEqual({ password: first });
    expect(fake.versionOf(region, "shop/orders", "AWSPREVIOUS")?.content).toEqual({
      SecretString: JSON.stringify({ password: second }),
    });
  });

  test("is shared by two consumers with keys of their own, at once", async () => {
    const { open, read } = await place("{}");
    const other = await open(
      { secret: "shop/orders", keys: { login: "username" } },
      { consumer: typeid("con").toString() },
    );
    const text = freshText();
    await Promise.all([(await open()).deliver(delivery(1, text)), other.deliver(delivery(1))]);
    expect(JSON.parse((await read()) ?? "")).toEqual({ password: text, login: "orders" });
    expect(await other.observe()).toMatchObject({ number: { epoch: 1, number: 1 } });
  });

  test("knows our number however often others have written since", async () => {
    const { open, put } = await place("{}");
    const session = await open();
    const text = freshText();
    const { digest } = await session.deliver(delivery(7, text));
    for (const mode of ["a", "b", "c"]) await put(JSON.stringify({ password: text, mode }));
    expect(await session.observe()).toMatchObject({ number: { epoch: 1, number: 7 }, digest });
    expect(await failing(session.deliver(delivery(6)))).toMatchObject({ code: "claim_outdated" });
  });

  test("says who changed our key, and keeps the change", async () => {
    const { open, put, read } = await place("{}");
    const session = await open();
    const { digest } = await session.deliver(delivery(1));
    await put('{"password":"by-hand"}');
    const error = await failing(session.deliver(delivery(2, freshText(), digest)));
    expect(error).toMatchObject({ name: "OperatorNeededError", code: "target_drift" });
    expect(error.detail).toMatch(/made current by somebody else at \d{4}-/);
    expect(await read()).toBe('{"password":"by-hand"}');
  });
});

describe("calls in trouble", () => {
  test.each(["PutSecretValue", "UpdateSecretVersionStage"])(
    "%s with its answer lost is done once more, and makes no second version",
    async (action) => {
      const { open, read, fake } = await place("{}");
      const session = await open();
      await session.deliver(delivery(1));
      let lost = 0;
      fake.interfere = (asked) => (asked.action === action && lost++ === 0 ? { loseAnswer: true } : undefined);
      const text = freshText();
      expect(await failing(session.deliver(delivery(2, text)))).toMatchObject({ code: "target_unreachable" });
      const before = fake.secrets.get(region, "shop/orders").versions.size;
      await session.deliver(delivery(2, text));
      expect(JSON.parse((await read()) ?? "")).toEqual({ password: text });
      expect(fake.secrets.get(region, "shop/orders").versions.size).toBe(before);
    },
  );

  test("every twentieth call throttled, every twentieth answer lost: each delivery arrives", async () => {
    const { open, read } = await place("{}", { throttling: 0.05, lostAnswers: 0.05 });
    const session = await open();
    for (let number = 1; number <= 12; number++) {
      const text = freshText();
      for (let tries = 0; ; tries++) {
        const error = await session.deliver(delivery(number, text)).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        if (error === undefined) break;
        expect(error).toMatchObject({ name: "TransientError" });
        expect(tries).toBeLessThan(20);
      }
      expect(JSON.parse((await read()) ?? "")).toEqual({ password: text });
    }
  });

  test("a put that comes late hits nothing that anybody reads", async () => {
    const { open, read, fake } = await place("{}");
    await (await open()).deliver(delivery(1));
    const { promise: hold, resolve: release } = Promise.withResolvers<void>();
    const { promise: onItsWay, resolve: arrived } = Promise.withResolvers<void>();
    let held = 0;
    fake.interfere = ({ action }) => {
      if (action !== "PutSecretValue" || held++ > 0) return undefined;
      arrived();
      return { hold };
    };
    const late = failing((await open()).deliver(delivery(2)));
    await onItsWay;
    const text = freshText();
    await (await open()).deliver(delivery(3, text));
    release();
    expect(await late).toMatchObject({ code: "claim_outdated" });
    expect(JSON.parse((await read()) ?? "")).toEqual({ password: text });
  });
});

describe("before anything is done, it is found", () => {
  test("that a right is missing, with the statement to add", async () => {
    const { open, fake, connection, writes } = await place("{}");
    const page = (await policyOfThePage(connection.account)) as { Statement: { Action: unknown }[] };
    const [first, ...others] = page.Statement;
    const Action = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"];
    fake.setPolicies("rekey", [{ ...page, Statement: [{ ...first, Action }, ...others] }]);
    const found = await (await open()).preflight();
    expect(found.map(({ code }) => code)).toEqual(["right_missing", "right_missing"]);
    expect(found[0]?.detail).toContain('"Action":"secretsmanager:PutSecretValue"');
    expect(writes()).toEqual([]);
  });

  test("that no right is missing where the policy names the very secret, or has a condition that a simulation cannot judge", async () => {
    const { open, fake, connection } = await place("{}");
    const page = (await policyOfThePage(connection.account)) as { Statement: object[] };
    const [first, ...others] = page.Statement;
    const arn = fake.secrets.find(region, "shop/orders")?.arn;
    fake.setPolicies("rekey", [{ ...page, Statement: [{ ...first, Resource: arn }, ...others] }]);
    expect(await (await open()).preflight()).toEqual([]);
    const Condition = { StringEquals: { "aws:RequestedRegion": region } };
    fake.setPolicies("rekey", [{ ...page, Statement: [{ ...first, Condition }, ...others] }]);
    expect(await (await open()).preflight()).toEqual([]);
    await (await open()).deliver(delivery(1));
  });

  test("that a rotation by AWS was left half-done", async () => {
    const { open, put } = await place("{}");
    await put("{}", ["AWSPENDING"]);
    const [found] = await (await open()).preflight();
    expect(found?.code).toBe("target_drift");
    expect(found?.detail).toMatch(/--version-stage AWSPENDING --remove-from-version-id [0-9a-f-]{36}/);
  });

  test("that the secret is marked for deletion, or is not there", async () => {
    const { open, outside, writes } = await place("{}");
    await outside.send(new DeleteSecretCommand({ SecretId: "shop/orders", RecoveryWindowInDays: 7 }));
    const session = await open();
    expect((await session.preflight())[0]?.detail).toMatch(/marked for deletion on \d{4}-.*restore-secret/s);
    expect(await failing(session.deliver(delivery(1)))).toMatchObject({ code: "target_unreachable" });
    const nowhere = await open({ ...byKeys, secret: "shop/none" });
    expect((await nowhere.preflight())[0]?.code).toBe("target_unreachable");
    expect(writes()).toEqual([]);
  });

  test("that a key of KMS may not be used", async () => {
    const { open, outside } = await place("{}");
    const KmsKeyId = "arn:aws:kms:eu-central-1:111122223333:key/own";
    await outside.send(new CreateSecretCommand({ Name: "shop/sealed", KmsKeyId, SecretString: "{}" }));
    const [found] = await (await open({ ...byKeys, secret: "shop/sealed" })).preflight();
    expect(found?.code).toBe("right_missing");
  });

  test("nothing, by a rehearsal, which writes nothing and says when the secret was last read", async () => {
    const { open, read, writes } = await place("{}");
    await read();
    const said = await (await open()).rehearse?.({ username: "x", password: new Secret(freshText()) });
    expect(said).toMatch(/nothing was written.*last read on \d{4}-\d\d-\d\d; AWS tells the day, and not by whom/s);
    expect(writes()).toEqual([]);
  });
});

describe("the connection", () => {
  test("of another account, region, key or clock is said in a code of its own", async () => {
    const { open, fake, connection, key } = await place("{}");
    const codeOf = async (how: Parameters<typeof open>[1]) =>
      (await failing((await open(byKeys, how)).deliver(delivery(1)))).code;
    expect(await codeOf({ connection: { ...connection, account: "111122223333" } })).toBe("account_unknown");
    expect(await codeOf({ connection: { ...connection, region: "eu-west-9" } })).toBe("region_wrong");
    expect(await codeOf({ key: { ...key, secretAccessKey: freshText() } })).toBe("target_auth_failed");
    expect(await codeOf({ connection: { ...connection, accessKeyId: "AKIAUNKNOWN000000001" } })).toBe(
      "target_auth_failed",
    );
    fake.clockOffsetMs = 3_600_000;
    expect(await codeOf({})).toBe("clock_skewed");
  });

  test("shows whose key it has, and what it may not do or need not", async () => {
    const { fake, connection, key } = await place("{}");
    const look = async () => awsKind.look?.({ connection, admin: adminOf(key) }, contextFor([fake.url]));
    expect(await look()).toMatchObject({ identity: `aws:${connection.account}`, findings: [] });
    fake.addUser("administrator");
    const administrator = fake.addKey("administrator");
    const other = await awsKind.look?.(
      { connection: { ...connection, accessKeyId: administrator.accessKeyId }, admin: adminOf(administrator) },
      contextFor([fake.url]),
    );
    expect(other?.findings.map(({ code }) => code)).toEqual(["right_unneeded"]);
    fake.interfere = ({ action }) =>
      action === "SimulatePrincipalPolicy" ? { answer: new AwsFault("AccessDenied", 403, "no") } : undefined;
    expect(await look()).toMatchObject({ findings: [] });
  });
});
