import { randomBytes } from "node:crypto";
import { CreateSecretCommand, DeleteSecretCommand, PutSecretValueCommand } from "@aws-sdk/client-secrets-manager";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { RekeyError } from "../domain/errors.ts";
import { Secret } from "../providers/contract/secret.ts";
import type { Value } from "../providers/contract/value.ts";
import { fakePlace, freshRef, nameOf, openAws, region } from "../test/custody/aws-place.ts";
import { policyIn } from "../test/harness/aws-settings.ts";
import { awsClients } from "../test/harness/aws/clients.ts";
import type { FakeAws } from "../test/harness/aws/fake-aws.ts";
import { AwsFault } from "../test/harness/aws/fault.ts";
import { isForgotten } from "./aws-version.ts";
import type { Custody, CustodyRef } from "./custody.ts";
import { passwordOf } from "./suite/world.ts";

const value = () => ({ username: "app", password: new Secret(randomBytes(12).toString("hex")) });

async function failing(work: Promise<unknown>): Promise<RekeyError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RekeyError) return error;
  throw new Error("it must fail with an error of ours", { cause: error });
}

/** Keeps the next such call on its way until it is let go. */
function holdNext(aws: FakeAws, wanted: string) {
  const [arrived, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  aws.interfere = ({ action }) => {
    if (action !== wanted) return undefined;
    aws.interfere = () => undefined;
    arrived.resolve();
    return { hold: gate.promise };
  };
  return { onItsWay: arrived.promise, release: () => gate.resolve() };
}

const secretOf = (aws: FakeAws, ref: CustodyRef) => aws.secrets.find(region, nameOf(ref));
const outcomesOf = (aws: FakeAws, wanted: string) =>
  aws.calls.filter(({ action }) => action === wanted).map(({ outcome }) => outcome);

function outside(aws: FakeAws) {
  aws.addUser("operator");
  const clients = awsClients(aws, aws.addKey("operator"));
  onTestFinished(() => clients.close());
  return clients.secrets;
}

describe("what comes late", () => {
  it("a put that lands after the value was forgotten revives nothing", async () => {
    const { aws, custody, other } = await fakePlace();
    const ref = freshRef();
    const held = holdNext(aws, "CreateSecret");
    const late = custody.putIfAbsent(ref, value()).catch((error: unknown) => error);
    await held.onItsWay;
    await other.putIfAbsent(ref, value());
    await other.forget(ref);
    // What it does once it is answered, in full view, is a put of its own.
    const seen = new Promise<unknown>((resolve) => {
      aws.interfere = ({ action }) => {
        if (action !== "GetSecretValue") return undefined;
        resolve(isForgotten(aws.versionOf(region, nameOf(ref))?.id ?? "") && secretOf(aws, ref)?.deletion);
        return undefined;
      };
    });
    held.release();
    expect(await seen).toBeTruthy();
    await late;
    expect(outcomesOf(aws, "CreateSecret")).toEqual(["ok", "InvalidRequestException"]);
  });

  for (const action of ["PutSecretValue", "UpdateSecretVersionStage"])
    it(`a new version on its way when the value was forgotten once more does not become current (${action})`, async () => {
      const { aws, custody, other } = await fakePlace();
      const ref = freshRef();
      await custody.putIfAbsent(ref, value());
      await custody.forget(ref);
      const held = holdNext(aws, action);
      const late = custody.putIfAbsent(ref, value()).catch((error: unknown) => error);
      await held.onItsWay;
      await other.forget(ref);
      const kept = value();
      expect(passwordOf(await other.putIfAbsent(ref, kept))).toBe(kept.password.reveal());
      held.release();
      expect(passwordOf((await late) as Value)).toBe(kept.password.reveal());
      expect(passwordOf(await custody.get(ref))).toBe(kept.password.reveal());
    });

  it("a deletion that lands after a new value was put loses nothing", async () => {
    const { aws, custody, other } = await fakePlace();
    const ref = freshRef();
    await custody.putIfAbsent(ref, value());
    const held = holdNext(aws, "DeleteSecret");
    const forgetting = custody.forget(ref);
    await held.onItsWay;
    const next = value();
    await other.putIfAbsent(ref, next);
    held.release();
    await forgetting;
    expect(secretOf(aws, ref)?.deletion).toBeUndefined();
    expect(passwordOf(await custody.get(ref))).toBe(next.password.reveal());
  });

  it("a secret that a person has marked for deletion is restored when its value is wanted", async () => {
    const { aws, custody } = await fakePlace();
    const ref = freshRef();
    const kept = value();
    await custody.putIfAbsent(ref, kept);
    await outside(aws).send(new DeleteSecretCommand({ SecretId: nameOf(ref), RecoveryWindowInDays: 7 }));
    expect(passwordOf(await custody.get(ref))).toBe(kept.password.reveal());
    expect(secretOf(aws, ref)?.deletion).toBeUndefined();
  });
});

describe("what is forgotten", () => {
  it("has no stage, and is in a secret that AWS deletes in seven days and whose name is taken until then", async () => {
    const { aws, custody } = await fakePlace({ scale: 1 });
    const ref = freshRef();
    await custody.putIfAbsent(ref, value());
    const before = aws.versionOf(region, nameOf(ref))?.id ?? "";
    await custody.forget(ref);
    const { versions, deletion } = secretOf(aws, ref) ?? {};
    expect([...(versions?.get(before)?.stages ?? ["it is not there"])]).toEqual([]);
    expect(
      [...(versions?.values() ?? [])].filter(({ stages }) => stages.size > 0).map(({ id }) => isForgotten(id)),
    ).toEqual([true]);
    expect((deletion?.dueMs ?? 0) - (deletion?.sinceMs ?? 0)).toBe(7 * 86_400_000);
  });

  it("does not come back when the secret is restored by hand", async () => {
    const { aws, custody, other } = await fakePlace();
    const ref = freshRef();
    await custody.putIfAbsent(ref, value());
    await custody.forget(ref);
    delete secretOf(aws, ref)?.deletion;
    expect(await other.get(ref)).toBeUndefined();
    const next = value();
    expect(passwordOf(await other.putIfAbsent(ref, next))).toBe(next.password.reveal());
  });

  it("is forgotten to the end by the next who is asked, whatever call was the last", async () => {
    for (const lost of ["PutSecretValue", "UpdateSecretVersionStage", "DeleteSecret"]) {
      const { aws, custody, other } = await fakePlace();
      const ref = freshRef();
      await custody.putIfAbsent(ref, value());
      aws.interfere = ({ action }) => (action === lost ? { loseAnswer: true } : undefined);
      expect(await failing(custody.forget(ref))).toMatchObject({ name: "TransientError", code: "custody_unreachable" });
      aws.interfere = () => undefined;
      await other.forget(ref);
      expect(await other.get(ref)).toBeUndefined();
      const { versions, deletion } = secretOf(aws, ref) ?? {};
      expect(deletion).toBeDefined();
      expect([...(versions?.values() ?? [])].filter(({ stages }) => stages.size > 0)).toHaveLength(1);
    }
  });
});

describe("what lies there and is not ours", () => {
  it("is never overwritten, and never answered", async () => {
    const { aws, custody } = await fakePlace();
    const operator = outside(aws);
    for (const content of [{ SecretString: "not JSON" }, { SecretString: "null" }, { SecretBinary: randomBytes(9) }]) {
      const ref = freshRef();
      await operator.send(new CreateSecretCommand({ Name: nameOf(ref), ...content }));
      expect(await failing(custody.get(ref))).toMatchObject({ code: "custody_unreadable" });
      expect(await failing(custody.putIfAbsent(ref, value()))).toMatchObject({ code: "custody_unreadable" });
      expect(secretOf(aws, ref)?.versions.size).toBe(1);
    }
  });

  it("a secret that holds nothing is no value, and is waited for, marked for deletion or not", async () => {
    const { aws, custody } = await fakePlace();
    const operator = outside(aws);
    const ref = freshRef();
    await operator.send(new CreateSecretCommand({ Name: nameOf(ref) }));
    for (const isMarked of [false, true]) {
      if (isMarked) await operator.send(new DeleteSecretCommand({ SecretId: nameOf(ref), RecoveryWindowInDays: 7 }));
      expect(await custody.get(ref)).toBeUndefined();
      const error = await failing(custody.putIfAbsent(ref, value()));
      expect(error).toMatchObject({ name: "TransientError", code: "custody_missing" });
      await custody.forget(ref);
    }
  });

  it("a version without our stage is not read", async () => {
    const { aws, custody } = await fakePlace();
    const ref = freshRef();
    const kept = value();
    await custody.putIfAbsent(ref, kept);
    const stray = { SecretId: nameOf(ref), SecretString: "stray", VersionStages: ["AWSPENDING"] };
    await outside(aws).send(new PutSecretValueCommand(stray));
    expect(passwordOf(await custody.get(ref))).toBe(kept.password.reveal());
    const reads = aws.calls.filter(({ action }) => action === "GetSecretValue");
    expect(new Set(reads.map(({ fields }) => fields["VersionStage"]))).toEqual(new Set(["AWSCURRENT"]));
  });

  it("a name that AWS has not let go yet after a deletion by force is waited for", async () => {
    const { aws, custody } = await fakePlace({ scale: 1 });
    const ref = freshRef();
    await custody.putIfAbsent(ref, value());
    await outside(aws).send(new DeleteSecretCommand({ SecretId: nameOf(ref), ForceDeleteWithoutRecovery: true }));
    expect(await failing(custody.putIfAbsent(ref, value()))).toMatchObject({
      name: "TransientError",
      code: "custody_missing",
    });
  });
});

describe("trouble with AWS", () => {
  const all = (custody: Custody) => [
    async () => custody.get(freshRef()),
    async () => custody.putIfAbsent(freshRef(), value()),
    async () => custody.forget(freshRef()),
  ];

  it("an AWS that asks for fewer calls, or fails, is said so and loses nothing", async () => {
    const { aws, custody } = await fakePlace();
    const ref = freshRef();
    await custody.putIfAbsent(ref, value());
    const faults = [
      [new AwsFault("ThrottlingException", 400, "made by the test"), "system_throttled"],
      [new AwsFault("InternalServiceError", 500, "made by the test"), "custody_unreachable"],
    ] as const;
    for (const [answer, code] of faults) {
      aws.interfere = () => ({ answer });
      expect(await failing(custody.get(ref))).toMatchObject({ name: "TransientError", code });
    }
    aws.interfere = () => undefined;
    expect(await custody.get(ref)).toBeDefined();
  });

  it("a call that is never answered ends by our own clock", async () => {
    const { aws, custody } = await fakePlace();
    await custody.get(freshRef());
    const clock = new AbortController();
    const timeout = vi.spyOn(AbortSignal, "timeout").mockImplementationOnce(() => clock.signal);
    onTestFinished(() => timeout.mockRestore());
    const held = holdNext(aws, "GetSecretValue");
    const asking = failing(custody.get(freshRef()));
    await held.onItsWay;
    clock.abort(new DOMException("made by the test", "TimeoutError"));
    expect(await asking).toMatchObject({ name: "TransientError", code: "custody_unreachable" });
    expect(timeout.mock.calls[0]?.[0]).toBeLessThan(10_000);
    held.release();
  });

  it("a server that is not there is waited for", async () => {
    const { aws, custody } = await fakePlace();
    aws.close();
    for (const work of all(custody))
      expect(await failing(work())).toMatchObject({ name: "TransientError", code: "custody_unreachable" });
  });

  it("a key that is wrong, off, over, of another account or for another region is told apart, and nothing is written", async () => {
    const { aws, give, open, custody } = await fakePlace();
    const { account } = aws.identities;
    aws.addUser("off");
    aws.addUser("session");
    const off = await openAws(aws, account, aws.addKey("off", "Inactive"));
    const cases = [
      ["custody_auth_failed", off.custody],
      ["account_unknown", open({ account: "999999999999" })],
      ["region_wrong", open({ region: "ap-south-1" })],
    ] as const;
    for (const [code, each] of cases)
      for (const work of all(each)) {
        const error = await failing(work());
        expect(error).toMatchObject({ name: "OperatorNeededError", code });
        expect(error.detail).toContain("place main-aws");
        expect(error.detail).not.toContain("connection");
      }
    aws.interfere = () => ({ answer: new AwsFault("ExpiredToken", 403, "made by the test") });
    expect(await failing(custody.get(freshRef()))).toMatchObject({ code: "login_expired" });
    aws.interfere = () => undefined;
    await give(randomBytes(20).toString("hex"));
    expect(await failing(custody.get(freshRef()))).toMatchObject({ code: "custody_auth_failed" });
    aws.clockOffsetMs = 400_000;
    expect(await failing(custody.get(freshRef()))).toMatchObject({ code: "clock_skewed" });
    aws.clockOffsetMs = 0;
    expect(aws.calls.filter(({ service, isApplied }) => service === "secretsmanager" && isApplied)).toEqual([]);
  });

  it("the key in the file counts from the next call on", async () => {
    const { aws, custody, give } = await fakePlace();
    const ref = freshRef();
    await custody.putIfAbsent(ref, value());
    const key = aws.keysOf("rekey")[0];
    await give(randomBytes(20).toString("hex"));
    expect(await failing(custody.get(ref))).toMatchObject({ code: "custody_auth_failed" });
    await give(key?.key.secret ?? "");
    expect(await custody.get(ref)).toBeDefined();
  });

  it("a value that no secret of AWS can hold is refused before anything is written", async () => {
    const { aws, custody } = await fakePlace();
    const tooLong = { key: new Secret(randomBytes(25_000).toString("hex")) };
    expect(await failing(custody.putIfAbsent(freshRef(), tooLong))).toMatchObject({ code: "value_unfit" });
    expect(outcomesOf(aws, "CreateSecret")).toEqual([]);
  });
});

describe("the policy on the page", () => {
  it("has no right that is not needed: each that is taken away is missed, and named", async () => {
    const { aws, custody } = await fakePlace();
    const page = new URL("../docs/aws.md", import.meta.url);
    const policy = (await policyIn(page, "## Custody", aws.identities.account)) as {
      readonly Version: string;
      readonly Statement: readonly [{ readonly Action: readonly string[]; readonly Resource: string }];
    };
    const [statement] = policy.Statement;
    const life = async () => {
      const ref = freshRef();
      await custody.putIfAbsent(ref, value());
      await custody.forget(ref);
      await custody.putIfAbsent(ref, value());
    };
    await life();
    for (const action of statement.Action) {
      const left = statement.Action.filter((each) => each !== action);
      aws.setPolicies("rekey", [{ ...policy, Statement: [{ ...statement, Action: left }] }]);
      const error = await failing(life());
      expect(error).toMatchObject({ name: "OperatorNeededError", code: "right_missing" });
      expect(error.detail).toContain(JSON.stringify({ Effect: "Allow", Action: action, Resource: statement.Resource }));
    }
  });
});
