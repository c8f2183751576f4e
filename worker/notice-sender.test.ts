import { sql } from "kysely";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { recordTestSent } from "../ledger/notice-sends.ts";
import { adopted, register as applyManifests } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withLedger } from "../test/harness/ledger.ts";
import {
  answers,
  floods,
  hangs,
  startNoticeReceiver,
  takes,
  type NoticeReceiver,
} from "../test/harness/notice-receiver.ts";
import { consumer } from "../test/harness/manifests.ts";
import {
  happens,
  isDone,
  isHeld,
  newSigningSecret,
  noticeText,
  openSender,
  registerNotice,
} from "../test/harness/notices.ts";

let api: TestApi;
let receiver: NoticeReceiver;
let secret: string;

beforeAll(async () => {
  api = await withApi(await withLedger());
  await adopted(api, "orders", "alder");
});
afterAll(() => api.app.close());
beforeEach(async () => {
  receiver = await startNoticeReceiver();
  secret = newSigningSecret();
});
afterEach(async () => {
  await receiver.close();
  await sql`UPDATE notices SET retired_at = clock_timestamp() WHERE retired_at IS NULL`.execute(api.deps.ledger.db);
});

const register = async (spec: Readonly<Record<string, unknown>> = {}, name = "hook") =>
  registerNotice(api, receiver, { team: "alder", name, spec }, secret);

interface Row {
  readonly state: string;
  readonly attempts: number;
  readonly last_code: string | null;
  readonly last_status: number | null;
}

const deliveries = async () =>
  (
    await sql<Row>`SELECT state, attempts, last_code, last_status FROM notice_deliveries d JOIN notices k ON k.id = d.notice_id
      WHERE k.retired_at IS NULL ORDER BY position, k.name`.execute(api.deps.ledger.db)
  ).rows;

describe("an endpoint", () => {
  it("is told once that a rotation is done, signed, in a sentence with names", async () => {
    await register();
    await happens(api, "alder/orders", isDone);
    const sender = openSender(api, [receiver]);
    await sender.runOnce();
    await sender.runOnce();
    const [one, ...others] = receiver.came;
    expect(others).toEqual([]);
    expect(new Webhook(secret).verify(one?.text ?? "", { ...one?.headers })).toMatchObject({
      type: "notice.done",
      credential: "alder/orders",
      environment: "prod",
      outcome: "proven",
      text: "alder/orders (prod) is rotated: every consumer has moved, and the former version is proven dead.",
    });
    expect(await deliveries()).toEqual([{ state: "sent", attempts: 1, last_code: "taken", last_status: 204 }]);
  });

  it("is told nothing of what had happened before it was there, nor of what it does not ask for", async () => {
    await happens(api, "alder/orders", isDone);
    const sender = openSender(api, [receiver]);
    await sender.runOnce();
    await register({ events: ["hold"] });
    await happens(api, "alder/orders", isDone);
    await happens(api, "alder/orders", isHeld);
    await sender.runOnce();
    expect(receiver.came.map(({ body }) => [body["type"], body["code"]])).toEqual([["notice.hold", "stranger_seen"]]);
  });

  it("in the format of slack gets a text and nothing else, at an address that stands nowhere", async () => {
    await registerNotice(api, receiver, { team: "alder", format: "slack" }, secret);
    await happens(api, "alder/orders", isHeld);
    await openSender(api, [receiver]).runOnce();
    const [one] = receiver.came;
    expect(Object.keys(one?.body ?? {})).toEqual(["text"]);
    expect(one?.body["text"]).toContain("The rotation of alder/orders (prod) waits for a person: Somebody who is not");
    expect(one?.headers).not.toHaveProperty("webhook-signature");
    const { rows } = await sql<{ all: string }>`SELECT to_jsonb(k)::text AS all FROM notices k`.execute(
      api.deps.ledger.db,
    );
    expect(JSON.stringify(rows)).not.toContain(String(receiver.port));
    expect((await api.ask("GET", "/notices/hook")).json).toMatchObject({ format: "slack", url: null, pending: 0 });
  });

  it("of slack hears of an alarm with Slack's own characters made harmless", async () => {
    await registerNotice(api, receiver, { team: "alder", format: "slack", spec: { of: "all" } }, secret);
    const alarm = { key: "workers", about: "Workers", text: "No <!channel> & no worker runs." };
    await happens(api, "alder/orders", { action: "alarm.raised", details: alarm });
    await openSender(api, [receiver]).runOnce();
    expect(receiver.came[0]?.body["text"]).toContain(
      "No &lt;!channel&gt; &amp; no worker runs. See what to do: rekey status",
    );
  });
});

describe("a receiver", () => {
  it("that answers 500 for long, then well, is told everything once more, and nothing of it is lost", async () => {
    await register();
    receiver.behave = answers(500);
    const sender = openSender(api, [receiver]);
    for (const event of [isDone, isHeld, isDone]) await happens(api, "alder/orders", event);
    while (receiver.came.length < 6) await sender.runOnce();
    expect((await api.ask("GET", "/notices/hook")).json).toMatchObject({ pending: 3, lastCode: "failed" });
    const before = receiver.came.length;
    receiver.behave = takes;
    while ((await deliveries()).some(({ state }) => state === "pending")) await sender.runOnce();
    const after = receiver.came.slice(before);
    expect(after.map(({ body }) => String(body["type"])).toSorted()).toEqual([
      "notice.done",
      "notice.done",
      "notice.hold",
    ]);
    expect(new Set(after.map(({ id }) => id)).size).toBe(3);
    // A repeat has the id of what it repeats.
    expect(new Set(receiver.came.map(({ id }) => id)).size).toBe(3);
  });

  it.each([
    ["redirects is not followed", () => answers(302, { location: receiver.url }), "redirected", 302],
    ["knows another secret", () => answers(401), "refused", 401],
    ["is busy", () => answers(429), "failed", 429],
    ["hangs for ever", () => hangs, "timed-out", null],
  ])("that %s has its attempt counted as failed, with how", async (_, how, code, status) => {
    await register();
    receiver.behave = how();
    await happens(api, "alder/orders", isDone);
    await openSender(api, [receiver], { timeoutMs: 300 }).runOnce();
    expect(receiver.came).toHaveLength(1);
    expect(await deliveries()).toEqual([{ state: "pending", attempts: 1, last_code: code, last_status: status }]);
  });

  it("that answers with a body without an end has taken the notice", async () => {
    await register();
    receiver.behave = floods;
    await happens(api, "alder/orders", isDone);
    await openSender(api, [receiver]).runOnce();
    expect(await deliveries()).toMatchObject([{ state: "sent", last_status: 200 }]);
  });

  it("that hangs keeps no other one waiting", async () => {
    const slow = await startNoticeReceiver();
    slow.behave = hangs;
    try {
      await registerNotice(api, slow, { team: "alder", name: "slow" }, secret);
      await register();
      await happens(api, "alder/orders", isDone);
      const sender = openSender(api, [receiver, slow], { timeoutMs: 60_000 });
      sender.start();
      await slow.until(1);
      await receiver.until(1);
      await happens(api, "alder/orders", isDone);
      await receiver.until(2);
      expect(slow.came).toHaveLength(1);
      await sender.stop();
    } finally {
      await slow.close();
    }
  });

  it.each([
    ["loopback that no setting names", "https://127.0.0.1:9/"],
    ["the metadata service", "https://169.254.169.254/latest/"],
  ])("at %s is not reached", async (_, url) => {
    await register({ url });
    await happens(api, "alder/orders", isDone);
    await openSender(api, [receiver]).runOnce();
    expect(await deliveries()).toEqual([{ state: "pending", attempts: 1, last_code: "unreached", last_status: null }]);
  });

  it("that never takes it is given up, with an audit row and an alarm that ends when a test gets through", async () => {
    await register();
    receiver.behave = answers(503);
    await happens(api, "alder/orders", isDone);
    await openSender(api, [receiver], { giveUpAfterMs: 0 }).runOnce();
    expect(await deliveries()).toMatchObject([{ state: "given-up", attempts: 1, last_code: "failed" }]);
    const { rows } = await sql`SELECT details FROM audit WHERE action = 'notice.given-up'`.execute(api.deps.ledger.db);
    expect(rows).toMatchObject([{ details: { code: "failed" } }]);
    const alarms = async () => JSON.stringify((await api.ask("GET", "/status")).json["looks"]);
    expect(await alarms()).toContain("could not be told something, which was given up: alder/hook");
    await recordTestSent(api.deps.ledger, String((await api.ask("GET", "/notices/hook")).json["id"]));
    expect(await alarms()).not.toContain("alder/hook");
  });
});

describe("several workers", () => {
  it("that send at the same time tell each notice once", async () => {
    await register();
    for (let n = 0; n < 25; n += 1) await happens(api, "alder/orders", isDone);
    const senders = Array.from({ length: 4 }, () => openSender(api, [receiver]));
    for (let n = 0; n < 3; n += 1) await Promise.all(senders.map(async (one) => one.runOnce()));
    expect((await deliveries()).map(({ state }) => state)).toEqual(Array.from({ length: 25 }, () => "sent"));
    expect(receiver.came).toHaveLength(25);
    expect(new Set(receiver.came.map(({ id }) => id)).size).toBe(25);
    const sequences = receiver.came.map(({ body }) => Number(body["sequence"]));
    expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
  });
});

describe("another signing secret", () => {
  const verifies = (with_: string, notice = receiver.came.at(-1)) => {
    try {
      return new Webhook(with_).verify(notice?.text ?? "", { ...notice?.headers }) !== undefined;
    } catch {
      return false;
    }
  };

  it("signs beside the former one until its time is over, and then alone, with the former gone from custody", async () => {
    const sender = openSender(api, [receiver]);
    const next = newSigningSecret();
    await register();
    const [item] = await registerNotice(api, receiver, { team: "alder" }, next);
    expect(item).toMatchObject({ action: "change", notes: [expect.stringContaining("signs as well for 1d")] });
    await happens(api, "alder/orders", isDone);
    await sender.runOnce();
    expect([verifies(secret), verifies(next), verifies(newSigningSecret())]).toEqual([true, true, false]);
    expect(receiver.came.at(-1)?.headers["webhook-signature"]?.split(" ")).toHaveLength(2);
    expect((await registerNotice(api, receiver, { team: "alder" }, next))[0]).toMatchObject({ action: "unchanged" });

    const held = async () =>
      (await sql<{ key: string }>`SELECT key FROM custody_values WHERE key LIKE 'ntc%'`.execute(api.deps.ledger.db))
        .rows;
    const before = (await held()).length;
    await sql`UPDATE notices SET former_until = clock_timestamp() WHERE former_until IS NOT NULL`.execute(
      api.deps.ledger.db,
    );
    await happens(api, "alder/orders", isDone);
    await sender.runOnce();
    expect([verifies(secret), verifies(next)]).toEqual([false, true]);
    expect(await held()).toHaveLength(before - 1);
    expect((await api.ask("GET", "/notices/hook")).json).toMatchObject({ formerUntil: null, hasSecret: true });
  });

  it("for another address is asked for again, and the one of the former address is never sent there", async () => {
    await register();
    const text = noticeText({ url: `${receiver.url}/else`, ca: receiver.ca }, { team: "alder" });
    const refused = await api.ask("POST", "/manifests/apply", {
      files: [{ name: "n.yaml", text: text.replace(',"secretFrom":"given"', "") }],
    });
    expect([refused.status, refused.text]).toEqual([422, expect.stringContaining("Give it again: add secretFrom")]);
    const elsewhere = { ...receiver, url: `${receiver.url}/else` };
    const next = newSigningSecret();
    await registerNotice(api, elsewhere, { team: "alder" }, next);
    await happens(api, "alder/orders", isDone);
    await openSender(api, [receiver]).runOnce();
    expect([verifies(secret), verifies(next)]).toEqual([false, true]);
  });
});

describe("a team's endpoint", () => {
  const till = consumer
    .replace("web, team: shop", "till, team: birch")
    .replace("credential: orders", "credential: alder/orders")
    .replace("/srv/web.env", "/srv/till.env");

  it("hears of its own credentials and of those that its consumers run on, and of no more than its token would show", async () => {
    const other = await startNoticeReceiver();
    try {
      await adopted(api, "payments", "birch");
      await registerNotice(api, receiver, { team: "birch" }, secret);
      await registerNotice(api, other, { team: "alder", name: "all", spec: { of: "all" } }, secret);
      const sender = openSender(api, [receiver, other]);
      await happens(api, "alder/orders", isDone);
      await sender.runOnce();
      expect(receiver.came).toEqual([]);

      await applyManifests(api, till);
      await happens(api, "alder/orders", isDone);
      await happens(api, "alder/orders", isHeld);
      await happens(api, "birch/payments", isHeld);
      await happens(api, "birch/payments", {
        action: "alarm.raised",
        details: { key: "a", about: "alder", text: "b" },
      });
      await sender.runOnce();
      expect(receiver.came.map(({ body }) => [body["type"], body["credential"]])).toEqual([
        ["notice.done", "alder/orders"],
        ["notice.hold", "birch/payments"],
      ]);
      expect(other.came).toHaveLength(5);
    } finally {
      await other.close();
    }
  });
});
