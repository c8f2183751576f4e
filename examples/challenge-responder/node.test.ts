import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createEgress } from "../../providers/contract/egress-client.ts";
import type { EvidenceQuestion, EvidenceVersion } from "../../providers/contract/evidence.ts";
import { Secret } from "../../providers/contract/secret.ts";
import type { ChallengeConfig } from "../../providers/evidence/challenge/config.ts";
import { challenge } from "../../providers/evidence/challenge/definition.ts";
import { sessions } from "../../providers/evidence/sessions/definition.ts";

interface Settings {
  readonly instance: string;
  readonly consumer: string;
  readonly instanceId: string;
}
type AnswerChallenge = (settings: Settings, passwordInUse: () => string | undefined) => RequestListener;
const { answerChallenge } = (await import(new URL("node.mjs", import.meta.url).href)) as {
  answerChallenge: AnswerChallenge;
};

const version = (number: number): EvidenceVersion => ({
  version: number,
  handle: `orders#${number}`,
  authenticator: new Secret(randomBytes(24).toString("base64url")),
  effectiveAt: "2026-01-02T03:04:05Z",
});
const old = version(1);
const fresh = version(2);
const ids = { instance: "ins_1", consumer: "con_1" };
const never = new AbortController().signal;

let folder = "";
const open: Server[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "rekey-responder-"));
});

afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  rmSync(folder, { recursive: true });
});

/** An application as the README shows it: a pool made from a file, and a responder that asks the pool. */
function application(on: EvidenceVersion, instanceId: string, settings: Partial<Settings> = {}) {
  const pool = { options: { password: on.authenticator.reveal() } };
  return { pool, handler: answerChallenge({ ...ids, instanceId, ...settings }, () => pool.options.password) };
}

async function listen(handler: RequestListener, host: string, port: number): Promise<number> {
  const server = createServer(handler);
  open.push(server);
  await new Promise<void>((resolve, reject) => server.on("error", reject).listen(port, host, resolve));
  return (server.address() as AddressInfo).port;
}

/** Listens on 127.0.0.2, 127.0.0.3 and so on, all on one port, behind the name `app.internal`. */
async function serve(...handlers: readonly RequestListener[]) {
  const addresses = handlers.map((_handler, index) => `127.0.0.${index + 2}`);
  let port = 0;
  for (const [index, handler] of handlers.entries()) port = await listen(handler, addresses[index] ?? "", port);
  const egress = createEgress({ allowedLocalPorts: [port], ownPorts: [], resolve: async () => addresses });
  return { egress, url: `http://app.internal:${port}/rekey` };
}

async function collect(
  { egress, url }: Awaited<ReturnType<typeof serve>>,
  instances: ChallengeConfig["instances"] = { dns: true },
) {
  const question: EvidenceQuestion<ChallengeConfig> = {
    ...ids,
    config: { url, instances },
    order: "overlap",
    expected: fresh,
    unwanted: old,
    samples: [],
    observeForMs: 0,
  };
  return challenge.collect(question, { fetch: egress, signal: never, log: () => undefined });
}

test("an application whose pool is on the new version is attested", async () => {
  const app = await serve(application(fresh, "a").handler);
  expect(await collect(app)).toEqual({ complete: true, instances: 1, lacks: [] });
});

test("it answers with what the pool uses at that moment", async () => {
  const { pool, handler } = application(old, "a");
  const app = await serve(handler);
  expect((await collect(app)).lacks[0]).toBe("Instance a at 127.0.0.2 is still on the old version 1.");
  pool.options.password = fresh.authenticator.reveal();
  expect((await collect(app)).complete).toBe(true);
});

test("invariant 4: one of three instances behind one name that is old is named", async () => {
  const handlers = [application(fresh, "a"), application(old, "b"), application(fresh, "c")];
  const app = await serve(...handlers.map(({ handler }) => handler));
  const answer = await collect(app, { count: 3 });
  expect(answer).toMatchObject({ complete: false, instances: 2 });
  expect(answer.lacks[0]).toBe("Instance b at 127.0.0.3 is still on the old version 1.");
  expect(answer.lacks).toHaveLength(2);
});

test("invariant 4: one of three instances behind one address that is old is named", async () => {
  const handlers = [application(fresh, "a"), application(fresh, "b"), application(old, "c")];
  let turn = 0;
  const app = await serve((request, response) => handlers[turn++ % 3]?.handler(request, response));
  const answer = await collect(app, { count: 3 });
  expect(answer.complete).toBe(false);
  expect(answer.lacks[0]).toBe("Instance c at 127.0.0.2 is still on the old version 1.");
});

test("three new instances behind one address are counted", async () => {
  const handlers = ["a", "b", "c"].map((id) => application(fresh, id));
  let turn = 0;
  const app = await serve((request, response) => handlers[turn++ % 3]?.handler(request, response));
  expect(await collect(app, { count: 3 })).toEqual({ complete: true, instances: 3, lacks: [] });
});

test("an instance that is down is missing", async () => {
  const app = await serve(application(fresh, "a").handler, application(fresh, "b").handler);
  open[1]?.close();
  expect(await collect(app)).toEqual({
    complete: false,
    instances: 1,
    lacks: [
      "Address 127.0.0.3 could not be asked: the connection was refused.",
      "Answered with version 2: 1 of 2 instances. Each needs an instance id of its own.",
    ],
  });
});

/** Breaks the README's one rule: the file is new, the pool was never rebuilt. */
function answersFromTheFile() {
  const file = join(folder, "password");
  writeFileSync(file, fresh.authenticator.reveal(), { mode: 0o600 });
  const pool = { options: { password: old.authenticator.reveal() } };
  const handler = answerChallenge({ ...ids, instanceId: "a" }, () => readFileSync(file, "utf8"));
  const session = {
    principal: "orders_a",
    database: "orders",
    address: "10.0.0.1",
    applicationName: "shop",
    startedAt: "2026-01-02T03:04:00Z",
  };
  const isOnOld = pool.options.password === old.authenticator.reveal();
  const held = { [old.handle]: isOnOld ? [session] : [], [fresh.handle]: isOnOld ? [] : [session] };
  const samples = ["2026-01-02T03:05:00Z", "2026-01-02T03:05:30Z"].map((at) => ({ at, sessions: held }));
  return { handler, samples };
}

test("invariant 4: one that answers from the file while its pool is old is held back by its sessions", async () => {
  const { handler, samples } = answersFromTheFile();
  const app = await serve(handler);
  // Possession is all that a challenge can show. That is why the guard wants the issuer's word too.
  expect((await collect(app)).complete).toBe(true);
  const seen = await sessions.collect(
    {
      ...ids,
      config: { database: "orders", networks: ["10.0.0.0/8"], instances: 1 },
      order: "overlap",
      expected: fresh,
      unwanted: old,
      samples,
      observeForMs: 30_000,
    },
    { fetch: app.egress, signal: never, log: () => undefined },
  );
  expect(seen.complete).toBe(false);
  expect(seen.lacks).toContain('Address 10.0.0.1 (application "shop") is still on version 1.');
});

test("invariant 4: one that answers from its pool is found out though the file is new", async () => {
  writeFileSync(join(folder, "password"), fresh.authenticator.reveal(), { mode: 0o600 });
  const app = await serve(application(old, "a").handler);
  expect((await collect(app)).complete).toBe(false);
});

test.each([
  ["another consumer's id", { consumer: "con_2" }],
  ["another installation's id", { instance: "ins_2" }],
])(
  "invariant 18: an application set up with %s refuses, and the evidence says what to set",
  async (_name, settings) => {
    const app = await serve(application(fresh, "a", settings).handler);
    expect((await collect(app)).lacks[0]).toBe(
      "Address 127.0.0.2 answered with status 403. Its settings must name instance ins_1 and consumer con_1.",
    );
  },
);

const nonce = randomBytes(32).toString("base64url");
test.each([
  ["a nonce of 31 bytes", { nonce: randomBytes(31).toString("base64url") }, 403],
  ["a nonce of 33 bytes", { nonce: randomBytes(33).toString("base64url") }, 403],
  ["a nonce in base64", { nonce: "+".repeat(43) }, 403],
  ["a nonce with bits to spare", { nonce: "B".repeat(43) }, 403],
  ["a line end after the nonce", { nonce: `${nonce}\n` }, 403],
  ["no nonce", { nonce: undefined }, 403],
  ["another consumer", { consumer: "con_2" }, 403],
  ["no instance", { instance: undefined }, 403],
  ["a text longer than any challenge", { nonce: "A".repeat(4_000) }, 413],
])("the responder refuses %s", async (_name, change, status) => {
  const { egress, url } = await serve(application(fresh, "a").handler);
  expect(await egress({ url, json: { ...ids, nonce, ...change } }, never)).toEqual({ outcome: "reached", status });
});

test.each([null, "text", 7, []])("the responder refuses %j in place of a challenge and goes on", async (json) => {
  const { egress, url } = await serve(application(fresh, "a").handler);
  expect((await egress({ url, json }, never)).status).toBe(403);
  expect((await egress({ url, json: { ...ids, nonce } }, never)).status).toBe(200);
});

test("the responder refuses what is no JSON, and a body of unknown length", async () => {
  const { url } = await serve(application(fresh, "a").handler);
  const direct = url.replace("app.internal", "127.0.0.2");
  expect((await fetch(direct, { method: "POST", body: "{" })).status).toBe(403);
  const stream = new Blob([JSON.stringify({ ...ids, nonce })]).stream();
  expect((await fetch(direct, { method: "POST", body: stream, duplex: "half" })).status).toBe(413);
});

test.each(["correct horse", undefined])(
  "the responder gives no answer with a password that can be guessed",
  async (weak) => {
    const { egress, url } = await serve(answerChallenge({ ...ids, instanceId: "a" }, () => weak));
    expect(await egress({ url, json: { ...ids, nonce } }, never)).toEqual({ outcome: "reached", status: 503 });
  },
);
