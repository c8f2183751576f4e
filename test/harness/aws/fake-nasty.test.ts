import {
  CreateAccessKeyCommand,
  DeleteAccessKeyCommand,
  ListAccessKeysCommand,
  UpdateAccessKeyCommand,
} from "@aws-sdk/client-iam";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { afterEach, expect, test } from "vitest";
import { awsClients, type AwsClients, type AwsKeys } from "./clients.ts";
import { FakeAws } from "./fake-aws.ts";
import { AwsFault } from "./fault.ts";
import { gentle, type FakeAwsSettings } from "./settings.ts";

const closing: (() => void)[] = [];

afterEach(() => {
  for (const close of closing.splice(0)) close();
});

async function start(settings: Partial<FakeAwsSettings>): Promise<{ aws: FakeAws; admin: AwsClients }> {
  const aws = await FakeAws.start({ ...gentle, ...settings });
  closing.push(() => aws.close());
  aws.addUser("admin");
  aws.addUser("shop", []);
  return { aws, admin: as(aws, aws.addKey("admin")) };
}

function as(aws: FakeAws, keys: AwsKeys): AwsClients {
  const clients = awsClients(aws, keys, { region: "us-east-1" });
  closing.push(() => clients.close());
  return clients;
}

/** The name of the error, or `ok`. */
const outcome = (call: Promise<unknown>) =>
  call.then(
    () => "ok",
    (error: Error) => error.name,
  );
async function outcomes(times: number, call: () => Promise<unknown>): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let at = 0; at < times; at++) {
    const name = await outcome(call());
    seen[name] = (seen[name] ?? 0) + 1;
  }
  return seen;
}

const forever = 1e12;
const create = async (admin: AwsClients) => {
  const { AccessKey } = await admin.iam.send(new CreateAccessKeyCommand({ UserName: "shop" }));
  return { accessKeyId: AccessKey?.AccessKeyId ?? "", secretAccessKey: AccessKey?.SecretAccessKey ?? "" };
};
const remove = (admin: AwsClients, AccessKeyId: string) =>
  admin.iam.send(new DeleteAccessKeyCommand({ UserName: "shop", AccessKeyId }));
const list = (admin: AwsClients) => admin.iam.send(new ListAccessKeysCommand({ UserName: "shop" }));

test("a share of the calls is throttled, and nothing of them is done", async () => {
  const { aws, admin } = await start({ throttling: 0.3 });
  const seen = await outcomes(60, () => list(admin));
  expect(seen["Throttling"]).toBeGreaterThan(5);
  expect(Object.values(seen)).toHaveLength(2);
  aws.interfere = ({ action }) =>
    action === "CreateAccessKey" ? { answer: new AwsFault("Throttling", 400, "") } : undefined;
  expect(await outcome(create(admin))).toBe("Throttling");
  expect(aws.keysOf("shop")).toEqual([]);
});

test("a share of the answers is lost although the calls were done", async () => {
  const { aws, admin } = await start({ lostAnswers: 0.3 });
  for (let made = 0; made < 30; made++) {
    await outcome(create(admin));
    for (const { id } of aws.keysOf("shop")) await outcome(remove(admin, id));
  }
  const lost = aws.calls.filter(({ action, isAnswered }) => action === "CreateAccessKey" && !isAnswered);
  expect(lost.length).toBeGreaterThan(2);
  expect(lost.every((call) => call.isApplied)).toBe(true);
});

test("a failure of the service says nothing of whether the call was done", async () => {
  const { aws, admin } = await start({ failures: 0.5 });
  const seen = await outcomes(40, () => list(admin));
  expect(Object.keys(seen)).toEqual(expect.arrayContaining(["ok", "ServiceFailureException"]));
  const failed = aws.calls.filter((call) => call.outcome === "ServiceFailure");
  expect(new Set(failed.map(({ isApplied }) => isApplied))).toEqual(new Set([true, false]));
  const { aws: other, admin: otherAdmin } = await start({});
  other.interfere = () => ({ failAfterwards: true });
  expect(await outcome(create(otherAdmin))).toBe("ServiceFailureException");
  expect(other.keysOf("shop")).toHaveLength(1);
});

test("a fresh key is refused and not listed by those that have not heard of it, but it counts", async () => {
  const { aws, admin } = await start({ freshKeyLagMs: forever, listLagMs: forever });
  const key = await create(admin);
  expect(await outcomes(10, () => as(aws, key).sts.send(new GetCallerIdentityCommand({})))).toEqual({
    InvalidClientTokenId: 10,
  });
  expect((await list(admin)).AccessKeyMetadata).toEqual([]);
  expect(aws.acceptsNow(key.accessKeyId, key.secretAccessKey)).toBe(true);
  await create(admin);
  expect(await outcome(create(admin))).toBe("LimitExceededException");
});

test("a deleted key works and is listed where nobody has heard of its end", async () => {
  const { aws, admin } = await start({ endedKeyLagMs: forever, listLagMs: forever });
  const key = aws.addKey("shop");
  await remove(admin, key.accessKeyId);
  expect(await outcomes(10, () => as(aws, key).sts.send(new GetCallerIdentityCommand({})))).toEqual({ ok: 10 });
  expect((await list(admin)).AccessKeyMetadata).toMatchObject([{ AccessKeyId: key.accessKeyId }]);
  expect(aws.acceptsNow(key.accessKeyId, key.secretAccessKey)).toBe(false);
  expect(await outcome(remove(admin, key.accessKeyId))).toBe("NoSuchEntityException");
});

test("a call that is held is done when it is let go, after one that came later", async () => {
  const { aws, admin } = await start({});
  const old = aws.addKey("shop");
  const held = Promise.withResolvers<void>();
  const arrived = Promise.withResolvers<void>();
  aws.interfere = ({ action }) => {
    if (action !== "CreateAccessKey") return undefined;
    arrived.resolve();
    return { hold: held.promise };
  };
  const making = create(admin);
  await arrived.promise;
  await remove(admin, old.accessKeyId);
  expect(aws.keysOf("shop")).toEqual([]);
  held.resolve();
  const { accessKeyId } = await making;
  expect(aws.keysOf("shop").map(({ id }) => id)).toEqual([accessKeyId]);
});

test("history knows every moment: which keys there were, which worked everywhere, which still somewhere", async () => {
  const { aws, admin } = await start({ endedKeyLagMs: forever });
  const old = aws.addKey("shop").accessKeyId;
  const fresh = (await create(admin)).accessKeyId;
  await remove(admin, old);
  const moments = aws.historyOf("shop");
  expect(moments.map(({ existing }) => existing)).toEqual([[old], [old, fresh], [fresh]]);
  expect(moments.at(-1)).toMatchObject({
    active: [fresh],
    acceptedEverywhere: [old, fresh],
    acceptedSomewhere: [old, fresh],
  });
});

test("a moment without any key that works everywhere is in the history", async () => {
  const { aws, admin } = await start({ freshKeyLagMs: forever });
  const old = aws.addKey("shop").accessKeyId;
  const fresh = (await create(admin)).accessKeyId;
  await remove(admin, old);
  const last = aws.historyOf("shop").at(-1);
  expect(last).toMatchObject({ existing: [fresh], acceptedEverywhere: [] });
});

test("every call is in the log with who made it and how it ended, and no secret is", async () => {
  const { aws, admin } = await start({});
  await create(admin);
  const { secretAccessKey } = aws.addKey("admin");
  await outcome(
    as(aws, { accessKeyId: "AKIAAAAAAAAAAAAAAAAA", secretAccessKey }).iam.send(new ListAccessKeysCommand()),
  );
  expect(aws.calls).toMatchObject([
    {
      service: "iam",
      action: "CreateAccessKey",
      region: "us-east-1",
      outcome: "ok",
      isApplied: true,
      isAnswered: true,
    },
    {
      action: "ListAccessKeys",
      accessKeyId: "AKIAAAAAAAAAAAAAAAAA",
      outcome: "InvalidClientTokenId",
      isApplied: false,
    },
  ]);
});

test("an endpoint that has not heard of a key says that there is none, to whoever changes or deletes it", async () => {
  const { aws, admin } = await start({ listLagMs: forever });
  const { accessKeyId } = await create(admin);
  expect(await outcome(remove(admin, accessKeyId))).toBe("NoSuchEntityException");
  const change = new UpdateAccessKeyCommand({ UserName: "shop", AccessKeyId: accessKeyId, Status: "Inactive" });
  expect(await outcome(admin.iam.send(change))).toBe("NoSuchEntityException");
  expect(aws.keysOf("shop")).toMatchObject([{ id: accessKeyId, status: "Active" }]);
});
