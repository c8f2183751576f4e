import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { EvidenceVersion } from "../../providers/contract/evidence.ts";
import { sessions } from "../../providers/evidence/sessions/definition.ts";
import { collect, fresh, ids, never, old, reach } from "../../test/harness/ask-challenge.ts";

interface Settings {
  readonly instance: string;
  readonly consumer: string;
  readonly instanceId: string;
}
type AnswerChallenge = (settings: Settings, passwordInUse: () => string | undefined) => RequestListener;
const { answerChallenge } = (await import(new URL("node.mjs", import.meta.url).href)) as {
  answerChallenge: AnswerChallenge;
};

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
function application(on: EvidenceVersion, instanceId: string) {
  const pool = { options: { password: on.authenticator.reveal() } };
  return { pool, handler: answerChallenge({ ...ids, instanceId }, () => pool.options.password) };
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
  return reach(addresses, port);
}

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
