import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Webhook } from "standardwebhooks";
import type { Delivery } from "../../contract/consumer.ts";
import { createEgress } from "../../contract/egress-client.ts";
import { Secret } from "../../contract/secret.ts";
import { webhook } from "./definition.ts";

interface Taken {
  readonly headers: Record<string, string>;
  readonly body: string;
}

const signing = randomBytes(32).toString("base64");
const password = randomBytes(18).toString("base64url");
const ok = (response: ServerResponse) => response.end(JSON.stringify({ ok: true }));
let answer: (response: ServerResponse, request: IncomingMessage) => void = ok;
const taken: Taken[] = [];
let url = "";

const server = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8").on("data", (part: string) => (body += part));
  request.on("end", () => {
    taken.push({ headers: request.headers as Record<string, string>, body });
    answer(response, request);
  });
});

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/rekey`;
});

afterAll(() => server.closeAllConnections() ?? server.close());

beforeEach(() => {
  answer = ok;
  taken.length = 0;
});

interface Change {
  readonly secret?: string;
  readonly timeoutMs?: number;
  readonly url?: string;
}

function open(change: Change = {}) {
  const port = Number(new URL(url).port);
  const egress = createEgress({ allowedLocalPorts: [port], ownPorts: [], timeoutMs: change.timeoutMs ?? 5_000 });
  return webhook.open(
    {
      config: { topic: "orders" },
      connection: {
        settings: { url: change.url ?? url, teams: ["shop"] },
        secret: { secret: new Secret(change.secret ?? signing) },
      },
      allowed: { roots: [], reloads: {} },
      consumer: "con_1",
      digestKey: randomBytes(32),
    },
    { signal: new AbortController().signal, fetch: egress, log: () => undefined },
  );
}

const delivery = (change: Partial<Delivery> = {}): Delivery => ({
  version: 2,
  number: { epoch: 1, number: 7 },
  value: { username: "orders_b", password: new Secret(password) },
  about: { credential: "shop/orders", rotation: "rot_1", isUndo: false },
  ...change,
});

describe("a notice", () => {
  test("is signed, names what is to be picked up, and carries nothing of the value", async () => {
    await (await open()).deliver(delivery());
    const [one] = taken;
    const read = new Webhook(signing).verify(one?.body ?? "", one?.headers ?? {}) as Record<string, unknown>;
    expect(read).toEqual({
      type: "credential.delivered",
      consumer: "con_1",
      topic: "orders",
      credential: "shop/orders",
      rotation: "rot_1",
      version: 2,
      at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    const all = JSON.stringify(taken);
    for (const part of [password, "orders_b", signing]) expect(all).not.toContain(part);
    expect(() => new Webhook(randomBytes(32).toString("base64")).verify(one?.body ?? "", one?.headers ?? {})).toThrow();
  });

  test("has one id for every attempt of one rotation, and another for its undo and the next rotation", async () => {
    const session = await open();
    await session.deliver(delivery());
    await session.deliver(delivery({ number: { epoch: 1, number: 8 } }));
    await session.deliver(
      delivery({ version: 1, about: { credential: "shop/orders", rotation: "rot_1", isUndo: true } }),
    );
    await session.deliver(delivery({ about: { credential: "shop/orders", rotation: "rot_2", isUndo: false } }));
    const ids = taken.map(({ headers }) => headers["webhook-id"]);
    expect(ids[0]).toBe(ids[1]);
    expect(new Set(ids).size).toBe(3);
    expect(JSON.parse(taken[2]?.body ?? "")).toMatchObject({ type: "credential.restored", version: 1 });
  });

  test("of a rehearsal says that it is a test and names no version", async () => {
    expect(await (await open()).rehearse?.({})).toContain("credential.test");
    expect(JSON.parse(taken[0]?.body ?? "")).toMatchObject({ type: "credential.test", consumer: "con_1" });
    expect(taken[0]?.body).not.toContain("version");
  });

  test("is told again with success by an endpoint that dropped the first answer", async () => {
    answer = (_, request) => request.socket.destroy();
    const session = await open();
    await expect(session.deliver(delivery())).rejects.toMatchObject({ code: "target_unreachable" });
    answer = ok;
    await expect(session.deliver(delivery())).resolves.toHaveProperty("digest");
  });
});

describe("an endpoint", () => {
  test.each([
    ["fails", (response: ServerResponse) => response.writeHead(500).end("secret trouble")],
    ["is busy", (response: ServerResponse) => response.writeHead(429).end()],
    ["hangs", () => undefined],
  ])("that %s is asked again", async (_, how) => {
    answer = how;
    const error = await (await open({ timeoutMs: 300 })).deliver(delivery()).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ name: "TransientError", code: "target_unreachable" });
    expect(String(error)).not.toContain("secret trouble");
  });

  test.each([
    ["redirects", (response: ServerResponse) => response.writeHead(302, { location: "/else" }).end(), "target_refused"],
    ["knows another secret", (response: ServerResponse) => response.writeHead(401).end(), "target_refused"],
    ["is a page", (response: ServerResponse) => response.end("<html>Welcome</html>"), "target_malformed"],
    ["says no", (response: ServerResponse) => response.end('{"ok":false}'), "target_malformed"],
    [
      "says too much",
      (response: ServerResponse) => response.end(`{"ok":true,"x":"${"y".repeat(5_000_000)}"}`),
      "target_malformed",
    ],
  ] as const)("that %s holds at once", async (_, how, code) => {
    answer = how;
    await expect((await open()).deliver(delivery())).rejects.toMatchObject({ name: "OperatorNeededError", code });
    expect(taken).toHaveLength(1);
  });

  test("whose secret cannot sign is found before anything is told", async () => {
    for (const secret of ["short", "not base64 at all, but long enough for one", randomBytes(8).toString("base64")]) {
      const session = await open({ secret });
      expect(await session.preflight()).toMatchObject([{ code: "value_unfit" }]);
      await expect(session.deliver(delivery())).rejects.toMatchObject({ code: "value_unfit" });
    }
    expect(taken).toEqual([]);
    expect(await (await open({ secret: `whsec_${signing}` })).preflight()).toEqual([]);
  });

  test("at an address that the settings do not let be reached is not told", async () => {
    const session = await open({ url: "http://127.0.0.1:9/rekey" });
    await expect(session.deliver(delivery())).rejects.toMatchObject({ code: "target_unreachable" });
  });
});

describe("a registration", () => {
  test("may be made by the teams that the connection names", () => {
    const settings = { url: "https://reports.example.com/rekey", teams: ["shop"] };
    expect(webhook.refuses?.(settings, {}, "shop")).toBeUndefined();
    expect(webhook.refuses?.(settings, {}, "press")).toContain("Add press to its teams");
    expect(webhook.targetOf({ topic: "a" }, settings)).toBe("webhook:https://reports.example.com/rekey#a");
  });

  test.each([
    "ftp://x.example.com",
    "https://me:pw@x.example.com",
    "https://x.example.com/#a",
    "https://x.example.com/?t=1",
    "x",
  ])("refuses the url %s", (text) => {
    expect(webhook.connectionKind?.connectionSchema.safeParse({ url: text, teams: ["shop"] }).success).toBe(false);
  });

  test("holds nothing that could be read back", async () => {
    const seen = await (await open()).observe();
    expect([seen.isEmpty, seen.number, seen.holds({ password: new Secret(password) })]).toEqual([
      true,
      undefined,
      false,
    ]);
  });
});
