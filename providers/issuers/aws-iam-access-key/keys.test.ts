import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { describe, expect, onTestFinished, test } from "vitest";
import { RekeyError, TransientError } from "../../../domain/errors.ts";
import { gate } from "../../../test/conformance/gate.ts";
import { nextTurn, openKeys } from "../../../test/harness/aws-keys.ts";
import { policyIn, settingsAt } from "../../../test/harness/aws-settings.ts";
import { awsClients } from "../../../test/harness/aws/clients.ts";
import { FakeAws } from "../../../test/harness/aws/fake-aws.ts";
import { AwsFault } from "../../../test/harness/aws/fault.ts";
import { everything } from "../../../test/harness/aws/policy.ts";
import { gentle, type FakeAwsSettings } from "../../../test/harness/aws/settings.ts";
import type { Issued, IssuerSession } from "../../contract/issuer.ts";
import { revealField, type Value } from "../../contract/value.ts";
import type { Lags } from "./definition.ts";

/** The policy that people are told to give. */
const page = new URL("../../../docs/aws.md", import.meta.url);
const newKey = () => randomBytes(8).toString("hex");

async function place(part: Partial<FakeAwsSettings> = gentle, lags?: Lags) {
  const fake = await FakeAws.start({ ...part });
  onTestFinished(() => fake.close());
  const { account } = fake.identities;
  fake.addUser("rekey", [await policyIn(page, "The user that rotates access keys", account)]);
  fake.addUser("orders", [], "/team/");
  const admin = fake.addKey("rekey");
  const settings = settingsAt(fake, account, admin);
  const open = async (how: { user?: string; credential?: string; account?: string } = {}) =>
    openKeys({
      settings: how.account === undefined ? settings : { ...settings, account: how.account },
      admin,
      url: fake.url,
      user: how.user ?? "orders",
      ...(how.credential === undefined ? {} : { credential: how.credential }),
      ...(lags === undefined ? {} : { lags }),
    });
  const idsNow = () => fake.keysOf("orders").map(({ id }) => id);
  return { fake, open, idsNow };
}

async function failing(work: Promise<unknown>): Promise<RekeyError> {
  const error: unknown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof RekeyError) return error;
  throw new Error("it has to fail in our words", { cause: error });
}

/** As the engine asks: again under a new claim while the failure passes by itself. */
async function untilDone<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    const done = await work().catch((error: unknown) => {
      if (!(error instanceof TransientError) || tries > 30) throw error;
      return undefined;
    });
    if (done !== undefined) return done;
  }
}

const issue = async (session: IssuerSession, keep: readonly string[], operationKey = newKey()): Promise<Issued> =>
  session.issue({ handle: "", operationKey, claim: nextTurn(), keep });
const effect = (handle: string) => ({ handle, operationKey: newKey(), claim: nextTurn() });

/** An issue whose answer is lost; the key is there. */
async function loseAnswer(fake: FakeAws, session: IssuerSession, keep: readonly string[], operationKey: string) {
  let lost = 0;
  fake.interfere = ({ action }) => (action === "CreateAccessKey" && lost++ === 0 ? { loseAnswer: true } : undefined);
  expect(await failing(issue(session, keep, operationKey))).toMatchObject({ code: "issuer_unreachable" });
  const left = fake.keysOf("orders").find(({ id }) => !keep.includes(id));
  if (left === undefined) throw new Error("the key was not made");
  return left;
}

async function useIt(fake: FakeAws, { id, secret }: { id: string; secret: string }): Promise<void> {
  const { sts, close } = awsClients(fake, { accessKeyId: id, secretAccessKey: secret });
  await sts.send(new GetCallerIdentityCommand({}));
  close();
}

describe("a key whose answer was lost", () => {
  test("is ended by the next attempt of the same operation, and by nobody else's", async () => {
    const { fake, open, idsNow } = await place();
    const session = await open();
    const { handle } = await issue(session, []);
    const left = await loseAnswer(fake, session, [handle], "lost");
    const another = await failing(issue(session, [handle]));
    expect(another).toMatchObject({ name: "OperatorNeededError", code: "no_free_slot" });
    expect(another.detail).toContain(left.id);
    expect(idsNow()).toEqual([handle, left.id]);
    const made = await issue(session, [handle], "lost");
    expect(idsNow()).toEqual([handle, made.handle]);
  });

  test("that somebody uses is asked about, and left as it is", async () => {
    const { fake, open, idsNow } = await place();
    const session = await open();
    const left = await loseAnswer(fake, session, [], "lost");
    await useIt(fake, left.key);
    const issuing = () => issue(session, [], "lost");
    const abandoning = () => session.abandon({ ...effect(""), operationKey: "lost" });
    for (const work of [issuing, abandoning]) {
      const error = await failing(work());
      expect(error).toMatchObject({ name: "OperatorNeededError", code: "candidate_in_use" });
      expect(error.detail).toContain(left.id);
    }
    expect(idsNow()).toEqual([left.id]);
    expect(fake.keysOf("orders")[0]?.status).toBe("Active");
  });

  test("is found by an undo that knows nothing but the operation", async () => {
    const { fake, open, idsNow } = await place();
    await loseAnswer(fake, await open(), [], "lost");
    const again = await open();
    expect((await again.list()).map(({ ours }) => ours)).toEqual([true]);
    await again.abandon({ ...effect(""), operationKey: "lost" });
    expect(idsNow()).toEqual([]);
  });

  test.each([
    ["AccessDenied", 403, "right_missing"],
    ["LimitExceeded", 409, "no_free_slot"],
    ["SomethingNew", 400, "principal_missing"],
  ])("is not confused with what a person makes after a refusal (%s, %i)", async (name, status, code) => {
    const { fake, open, idsNow } = await place();
    const session = await open();
    fake.interfere = ({ action }) =>
      action === "CreateAccessKey" ? { answer: new AwsFault(name, status, "") } : undefined;
    expect(await failing(issue(session, [], "refused"))).toMatchObject({ name: "OperatorNeededError", code });
    fake.interfere = () => undefined;
    const { accessKeyId } = fake.addKey("orders");
    expect((await session.list()).map(({ ours }) => ours)).toEqual([false]);
    await session.abandon({ ...effect(""), operationKey: "refused" });
    const made = await issue(session, [], "refused");
    expect(idsNow()).toEqual([accessKeyId, made.handle]);
  });

  test.each([
    ["a failure of the service", { failAfterwards: true } as const],
    ["a lost answer", { loseAnswer: true } as const],
  ])("is found by the next attempt after %s", async (_what, trouble) => {
    const { fake, open, idsNow } = await place();
    const session = await open();
    fake.interfere = ({ action }) => (action === "CreateAccessKey" ? trouble : undefined);
    expect(await failing(issue(session, [], "lost"))).toMatchObject({ name: "TransientError" });
    expect(idsNow()).toHaveLength(1);
    fake.interfere = () => undefined;
    const made = await issue(session, [], "lost");
    expect(idsNow()).toEqual([made.handle]);
  });

  test("is not confused with what a person makes after the answer of a later attempt", async () => {
    const { fake, open, idsNow } = await place();
    const session = await open();
    const { handle } = await issue(session, [], "answered");
    const { accessKeyId } = fake.addKey("orders");
    // IAM lists keys in an order of its own.
    const listed = (await session.list()).map(({ handle: id, ours }) => [id, ours] as const);
    expect(Object.fromEntries(listed)).toEqual({ [handle]: true, [accessKeyId]: false });
    await session.abandon({ ...effect(handle), operationKey: "answered" });
    expect(idsNow()).toEqual([accessKeyId]);
  });
});

describe("a key that a server of IAM does not know yet", () => {
  /** A server that is behind answers as many calls to keys as are given; the others know. */
  function stale(fake: FakeAws, calls: number): void {
    let left = calls;
    fake.interfere = ({ action }) =>
      /^(?:Update|Delete)AccessKey$/.test(action) && left-- > 0
        ? { answer: new AwsFault("NoSuchEntity", 404, "") }
        : undefined;
  }
  const isBehind = { name: "TransientError", code: "issuer_unreachable" };

  test.each(["revoke", "abandon"] as const)("is not taken for gone by %s, and stays marked as ours", async (how) => {
    const { fake, open, idsNow } = await place();
    const session = await open();
    const { handle } = await issue(session, [], "made");
    stale(fake, 2);
    const ending = async () => session[how]({ ...effect(handle), operationKey: "made" });
    expect(await failing(Promise.resolve(ending()))).toMatchObject(isBehind);
    expect((await session.list()).map(({ handle: id, ours }) => [id, ours])).toEqual([[handle, true]]);
    await ending();
    expect(idsNow()).toEqual([]);
    expect(Object.keys(fake.tagsOf("orders"))).not.toContain(`rekey:key:${handle}`);
  });

  test("is disabled and enabled by the next attempt", async () => {
    const { fake, open } = await place();
    const session = await open();
    const { handle } = await issue(session, []);
    const stateNow = () => fake.keysOf("orders").map(({ status }) => status);
    for (const [how, state] of [
      ["disable", "Inactive"],
      ["enable", "Active"],
    ] as const) {
      stale(fake, 1);
      expect(await failing(Promise.resolve(session[how]?.(effect(handle))))).toMatchObject(isBehind);
      await session[how]?.(effect(handle));
      expect(stateNow()).toEqual([state]);
    }
  });
});

describe("a late disable of a key that was brought back", () => {
  /** Disables; the call that is meant waits for all of a later turn's enable. */
  async function late(isHeld: (action: string) => boolean) {
    const { fake, open } = await place();
    const session = await open();
    const { handle } = await issue(session, []);
    const older = effect(handle);
    const [until, release] = gate();
    const [arrived, arrive] = gate();
    let held = 0;
    fake.interfere = ({ action }) => {
      if (!isHeld(action) || held++ > 0) return undefined;
      arrive();
      return { hold: until };
    };
    const disabling = failing(Promise.resolve(session.disable?.(older)));
    await arrived;
    await (await open()).enable?.(effect(handle));
    release();
    expect(await disabling).toMatchObject({ code: "claim_outdated" });
    expect(fake.keysOf("orders")).toMatchObject([{ id: handle, status: "Active" }]);
    return fake.calls.flatMap(({ action, fields }) => (action === "UpdateAccessKey" ? [fields["Status"]] : []));
  }

  test("that has noted its turn and not called yet, is not called", async () => {
    let isNoted = false;
    const made = await late((action) => {
      if (action === "TagUser") isNoted = true;
      return isNoted && action === "ListUserTags";
    });
    expect(made).toEqual(["Active"]);
  });

  test("that comes after the later turn's call is put right", async () => {
    expect(await late((action) => action === "UpdateAccessKey")).toEqual(["Active", "Inactive", "Active"]);
  });
});

describe("a key of ours that the ledger does not count on", () => {
  const asked = { instance: "ins_one", credential: "crd_orders" };

  test("is listed with the operation that made it, by its mark or by the note", async () => {
    const { fake, open } = await place();
    const session = await open();
    const { handle } = await issue(session, [], "answered");
    const left = await loseAnswer(fake, session, [handle], "lost");
    const listed = (await session.list()).map((each) => [each.handle, each.operationKey] as const);
    expect(Object.fromEntries(listed)).toEqual({ [handle]: "answered", [left.id]: "lost" });
  });

  test("is named by preflight, and by the issue that has no room, with how to take it away", async () => {
    const { open } = await place();
    const session = await open();
    const { handle } = await issue(session, [], "one");
    const older = await issue(session, [handle], "older");
    const mend = `aws iam delete-access-key --user-name orders --access-key-id ${older.handle}`;
    const found = await session.preflight({ ...asked, live: [handle] });
    expect(found).toMatchObject([{ code: "no_free_slot", mend, endsWithFormer: true }]);
    expect(found[0]?.detail).toContain(`rekey made ${older.handle}`);
    const error = await failing(issue(session, [handle], "newer"));
    expect(error).toMatchObject({ name: "OperatorNeededError", code: "no_free_slot" });
    expect(error.detail).toContain(mend);
    expect(await session.preflight({ ...asked, live: [handle, older.handle] })).toEqual([]);
  });

  test("is named by preflight where no answer has named it, and where there is room", async () => {
    const { fake, open } = await place();
    const session = await open();
    const left = await loseAnswer(fake, session, [], "lost");
    expect((await session.preflight({ ...asked, live: [] }))[0]?.mend).toContain(left.id);
  });
});

describe("preflight", () => {
  const live = { instance: "ins_one", credential: "crd_orders", live: [] };

  test("counts an inactive key that nobody knows, and says how to take it away", async () => {
    const { fake, open } = await place();
    const session = await open();
    const { handle } = await issue(session, []);
    const { accessKeyId } = fake.addKey("orders", "Inactive");
    const [found] = await session.preflight({ ...live, live: [handle] });
    expect(found).toMatchObject({ code: "no_free_slot" });
    expect(found?.detail).toContain(`${accessKeyId} (inactive)`);
    expect(found?.mend).toBe(`aws iam delete-access-key --user-name orders --access-key-id ${accessKeyId}`);
  });

  test("names each right that is missing on this very user", async () => {
    const { fake, open } = await place();
    const policy = (await policyIn(page, "The user that rotates access keys", fake.identities.account)) as {
      Statement: { Action: string[] }[];
    };
    const [first, ...others] = policy.Statement;
    const Action = first?.Action.filter((action) => action !== "iam:DeleteAccessKey");
    fake.setPolicies("rekey", [{ ...policy, Statement: [{ ...first, Action }, ...others] }]);
    const found = await (await open()).preflight(live);
    expect(found.map(({ code }) => code)).toEqual(["right_missing"]);
    expect(found[0]?.detail).toContain(":user/team/orders");
    expect(fake.calls.filter(({ action }) => /^(?:Create|Update|Delete|Tag)/.test(action))).toEqual([]);
  });

  test("sees a user that is not there, the connection's own, and another account", async () => {
    const { fake, open } = await place();
    const codesOf = async (how: Parameters<typeof open>[0]) =>
      (await (await open(how)).preflight(live)).map(({ code }) => code);
    expect(await codesOf({ user: "none" })).toEqual(["right_missing"]);
    fake.setPolicies("rekey", [everything]);
    expect(await codesOf({ user: "none" })).toEqual(["principal_missing"]);
    expect(await codesOf({ user: "rekey" })).toEqual(["principal_is_connection"]);
    expect(await codesOf({ account: "111122223333" })).toEqual(["account_unknown"]);
  });
});

test("fifty rotations with every twentieth call throttled and every twentieth answer lost", async () => {
  const scale = 0.005;
  const [fresh, ended, listed] = [15_000, 4000, 4000].map((ms) => ms * scale);
  const lags = {
    activationMs: fresh ?? 0,
    deactivationMs: ended ?? 0,
    listMs: listed ?? 0,
    lastUsedMs: 0,
    lastUsedGrainMs: 0,
  };
  const { fake, open, idsNow } = await place({ throttling: 0.05, lostAnswers: 0.05, scale, pageSize: 2 }, lags);
  const session = await open();
  const accepted = async (value: Value, handle: string, control?: Value) => {
    for (let inARow = 0; inARow < 4;) {
      const asked = { handle, value, ...(control === undefined ? {} : { control }) };
      const { verdict } = await untilDone(() => session.probe(asked));
      inARow = verdict === "accepted" ? inARow + 1 : 0;
    }
  };
  let former: Issued | undefined;
  for (let rotation = 1; rotation <= 51; rotation++) {
    const operationKey = newKey();
    const keep = former === undefined ? [] : [former.handle];
    const made = await untilDone(() => issue(session, keep, operationKey));
    await sleep(lags.activationMs);
    await accepted(made.value, made.handle);
    const old = former;
    former = made;
    if (old === undefined) continue;
    const refused = async (work: (request: ReturnType<typeof effect>) => Promise<void> | undefined) =>
      untilDone(async () => {
        await work(effect(old.handle));
        return true;
      });
    await refused((request) => session.disable?.(request));
    await refused((request) => session.revoke(request));
    await sleep(Math.max(lags.deactivationMs, lags.listMs));
    const asked = { handle: old.handle, value: old.value, control: made.value };
    for (let verdict = ""; verdict !== "refused";) ({ verdict } = await untilDone(() => session.probe(asked)));
  }
  const last = former;
  expect(idsNow()).toEqual([last?.handle]);
  expect(fake.acceptsNow(last?.handle ?? "", revealField(last?.value ?? {}, "secretAccessKey"))).toBe(true);
  // The note, the mark of the last key, and at most that of one whose end was not heard of.
  expect(Object.keys(fake.tagsOf("orders")).length).toBeLessThan(4);
  const history = fake.historyOf("orders");
  const first = history.findIndex(({ acceptedEverywhere }) => acceptedEverywhere.length > 0);
  expect(Math.max(...history.map(({ existing }) => existing.length))).toBe(2);
  expect(Math.min(...history.slice(first).map(({ acceptedEverywhere }) => acceptedEverywhere.length))).toBe(1);
  expect(fake.calls.filter(({ isAnswered }) => !isAnswered).length).toBeGreaterThan(20);
  expect(fake.calls.filter(({ outcome }) => outcome === "Throttling").length).toBeGreaterThan(20);
}, 600_000);
