import { setTimeout as pause } from "node:timers/promises";
import { sql } from "kysely";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCheck } from "../activities/run-check.ts";
import type { StepDeps } from "../activities/step-deps.ts";
import { createScrubber } from "../custody/scrubber.ts";
import { readDueChecks } from "../ledger/checks.ts";
import { createEgress } from "../providers/contract/egress-client.ts";
import { adopted } from "../test/harness/api-rows.ts";
import { withApi, type TestApi } from "../test/harness/api.ts";
import { withCli, type CliPlace, type Ran } from "../test/harness/cli.ts";
import { withLedger } from "../test/harness/ledger.ts";
import {
  answers,
  startNoticeReceiver,
  takes,
  type Behaviour,
  type NoticeReceiver,
} from "../test/harness/notice-receiver.ts";
import { happens, isDone, isHeld, newSigningSecret, openSender, registerNotice } from "../test/harness/notices.ts";

let api: TestApi;
let cli: CliPlace;
let receiver: NoticeReceiver;
const secret = newSigningSecret();

beforeAll(async () => {
  api = await withApi(await withLedger());
  cli = await withCli(api);
  receiver = await startNoticeReceiver();
  await adopted(api, "orders", "alder");
});
afterAll(async () => {
  await receiver.close();
  await api.app.close();
});

const notice = (...args: readonly string[]): Promise<Ran> => cli.run(["notice", ...args]);
const db = () => api.deps.ledger.db;
/** A worker's look at what is to be told. */
const tell = async (times = {}) => openSender(api, [receiver], times).runOnce();
/** What waits for its next attempt is due. */
const hurry = async () =>
  sql`UPDATE notice_deliveries SET next_at = clock_timestamp() WHERE state = 'pending'`.execute(db());

/** `rekey notice test`, answered by a worker. */
async function tried(...args: readonly string[]): Promise<Ran> {
  const { ledger } = api.deps;
  const egress = createEgress({ allowedLocalPorts: [receiver.port], ownPorts: [], timeoutMs: 5_000 });
  const deps = { ledger, custody: api.custody, scrubber: createScrubber(), egress, log: () => undefined };
  const { ended } = cli.start(["notice", "test", ...args]);
  for (;;) {
    const [check] = await readDueChecks(ledger, 1);
    if (check !== undefined) {
      await runCheck(deps as unknown as StepDeps, check.checkId, AbortSignal.timeout(30_000));
      return ended;
    }
    await pause(20);
  }
}

describe("rekey notice", () => {
  it("says how to register one while there is none, and names what was meant by a name that nothing has", async () => {
    expect((await notice("list")).out).toBe(
      "There is no notice yet. Register one of kind Notice: rekey apply -f FILE\n",
    );
    const none = await notice("show", "alder/hook");
    expect([none.code, none.err]).toEqual([
      1,
      expect.stringContaining("There is no such notice. See which there are: rekey notice list\n"),
    ]);
    await registerNotice(api, receiver, { team: "alder" }, secret);
    const near = await notice("show", "alder/hok");
    expect(near.err).toContain("There is no such notice. Did you mean alder/hook?\n");
    expect((await notice("list", "--team", "aldr")).err).toContain("There is no such team. Did you mean alder?");
    expect((await notice("test")).err).toContain("rekey notice test --help");
  });

  it("says of one that has heard nothing that there was nothing, and how to try it", async () => {
    expect((await notice("list")).out).toMatch(
      /^NOTICE .* LAST TOLD \(UTC\)\nalder\/hook +webhook +own +nothing to tell yet +never\n$/,
    );
    const { out } = await notice("show", "hook");
    expect(out).toContain(`alder/hook: webhook to ${receiver.url}\n`);
    expect(out).toContain("nothing to tell yet; last told never");
    expect(out).toContain("rekey notice test alder/hook; see what it was told: rekey notice deliveries alder/hook");
    expect((await notice("deliveries", "hook")).out).toContain("alder/hook was told nothing yet, tests aside.");
  });

  it.each<readonly [string, Behaviour, string, string]>([
    ["refuses it", answers(404), "refused, status 404). It refused the notice", "404 that it is elsewhere."],
    [
      "is in trouble",
      answers(500),
      "failed, status 500). It answered that it is in trouble or busy",
      "Look at its log.",
    ],
    ["leads elsewhere", answers(302), "redirected, status 302). It answered with a redirect", "Register the address"],
  ])("test says of one that %s what it has answered, and what to do", async (_, behaviour, what, next) => {
    receiver.behave = behaviour;
    const { code, out, err } = await tried("hook");
    expect([code, out]).toEqual([1, ""]);
    expect(err).toContain(`rekey: It has not taken the test (${what}`);
    expect(err).toMatch(/^ {2}Next: (?!It )/m);
    expect(err).toContain(next);
    expect(err).not.toContain(secret);
  });

  it("test says of one that takes it that it has, and what it was told says that it was one", async () => {
    receiver.behave = takes;
    const { code, out } = await tried("alder/hook");
    expect([code, out]).toEqual([0, "It has taken a notice that says that it is a test.\n"]);
    expect(receiver.came.at(-1)?.body).toMatchObject({ type: "notice.test" });
    expect((await notice("list")).out).toMatch(/all told +\d\d:\d\d:\d\d/);
  });

  it("deliveries shows each with its last attempt, newest first, and list what waits", async () => {
    receiver.behave = answers(503);
    await happens(api, "alder/orders", isDone);
    await happens(api, "alder/orders", isHeld);
    await tell();
    expect((await notice("list")).out).toMatch(/2 to tell, failed/);
    const shown = (await notice("show", "hook")).out;
    expect(shown).toContain("2 to tell, failed; last told");
    expect(shown).toContain("It answered that it is in trouble or busy. Look at its log.");
    const rows = (await notice("deliveries", "hook")).out.trimEnd().split("\n");
    expect(rows[0]).toMatch(/^AT \(UTC\) +EVENT +STATE +TRIES +LAST +NEXT +TEXT$/);
    expect(rows[1]).toMatch(/^\d\d:\d\d:\d\d +hold +pending .* waits for a person/);
    expect(rows[2]).toMatch(
      /^\d\d:\d\d:\d\d +done +pending +1 +failed 503 +\d\d:\d\d:\d\d +alder\/orders \(prod\) is rotated/,
    );
    expect((await notice("deliveries", "hook", "--limit", "1")).out.trimEnd().split("\n")).toHaveLength(2);
    const { deliveries } = JSON.parse((await notice("deliveries", "hook", "--json")).out) as { deliveries: unknown[] };
    expect(deliveries).toHaveLength(2);
    receiver.behave = takes;
    await hurry();
    await tell();
    expect((await notice("deliveries", "hook")).out).toMatch(/done +sent +2 +taken 204 +alder\/orders/);
  });

  it("does not call all told what was given up, until the endpoint takes something again", async () => {
    receiver.behave = answers(500);
    await happens(api, "alder/orders", isDone);
    await tell({ giveUpAfterMs: 0 });
    expect((await notice("list")).out).toMatch(/alder\/hook .* given up +\d\d:/);
    expect((await notice("show", "hook")).out).toMatch(/last given up \d\d:\d\d:\d\d: what had waited/);
    receiver.behave = takes;
    await happens(api, "alder/orders", isDone);
    await tell();
    expect((await notice("list")).out).toMatch(/alder\/hook .* all told +\d\d:/);
  });

  it("says that two teams have one of the name, and which", async () => {
    await adopted(api, "payments", "birch");
    await registerNotice(api, receiver, { team: "birch" }, secret);
    const { code, err } = await notice("show", "hook");
    expect([code, err]).toEqual([expect.any(Number), expect.stringContaining("Write one of alder/hook, birch/hook.")]);
    expect(code).not.toBe(0);
    expect((await notice("list", "--team", "birch")).out).not.toContain("alder");
  });
});
