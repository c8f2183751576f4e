import { createHmac, randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import type { Egress, EgressAnswer, EgressRequest } from "../../contract/egress.ts";
import type { EvidenceQuestion, EvidenceVersion } from "../../contract/evidence.ts";
import { Secret } from "../../contract/secret.ts";
import type { ChallengeConfig } from "./config.ts";
import { challenge } from "./definition.ts";

const version = (number: number, text = randomBytes(24).toString("base64url")): EvidenceVersion => ({
  version: number,
  handle: `orders#${number}`,
  authenticator: new Secret(text),
  effectiveAt: "2026-01-02T03:04:05Z",
});
const old = version(1);
const fresh = version(2);

interface Asked {
  readonly instance: string;
  readonly consumer: string;
  readonly nonce: string;
}
/** One process: what it answers to a challenge. */
type Process = (asked: Asked) => EgressAnswer;

const reached = (body: unknown, status = 200): EgressAnswer => ({ outcome: "reached", status, body });

/** An honest process on one version. `change` makes it say something else than it signed. */
function runs(on: EvidenceVersion, instanceId: string, change: object = {}, signed: Partial<Asked> = {}): Process {
  return (asked) => {
    const { instance, consumer, nonce } = { ...asked, ...signed };
    const key = createHmac("sha256", on.authenticator.reveal()).update("rekey/challenge/v1").digest();
    const text = ["rekey/challenge/v1", instance, consumer, instanceId, nonce].join("\n");
    return reached({ instanceId, mac: createHmac("sha256", key).update(text).digest("base64url"), ...change });
  };
}

/** Each address with the processes behind it, which take turns. */
function network(addresses: Readonly<Record<string, readonly Process[]>>) {
  const requests: EgressRequest[] = [];
  const turns = new Map<string, number>();
  const fetch: Egress = Object.assign(
    async (request: EgressRequest) => {
      requests.push(request);
      const address = request.address ?? "";
      const behind = addresses[address] ?? [];
      const turn = turns.get(address) ?? 0;
      turns.set(address, turn + 1);
      return behind[turn % behind.length]?.(request.json as Asked) ?? { outcome: "refused" as const };
    },
    { resolve: async () => Object.keys(addresses) },
  );
  return { fetch, requests };
}

async function collect(
  net: ReturnType<typeof network>,
  instances: ChallengeConfig["instances"] = { count: 1 },
  change: Partial<EvidenceQuestion<ChallengeConfig>> = {},
) {
  const question: EvidenceQuestion<ChallengeConfig> = {
    config: { url: "https://app.internal/rekey", instances },
    instance: "ins_1",
    consumer: "con_1",
    order: "overlap",
    expected: fresh,
    unwanted: old,
    samples: [],
    observeForMs: 0,
    ...change,
  };
  return challenge.collect(question, { fetch: net.fetch, signal: new AbortController().signal, log: () => undefined });
}

test("it is the strongest evidence, and asks for a change of the application", () => {
  expect(challenge).toMatchObject({ kind: "challenge", strength: "attested", needsChange: true });
});

test("complete when the declared number of instances answered with the new version", async () => {
  const net = network({ "10.0.0.1": [runs(fresh, "a")], "10.0.0.2": [runs(fresh, "b")] });
  expect(await collect(net, { count: 2 })).toEqual({ complete: true, instances: 2, lacks: [] });
  expect(net.requests.map(({ url, address }) => [url, address])).toEqual([
    ["https://app.internal/rekey", "10.0.0.1"],
    ["https://app.internal/rekey", "10.0.0.2"],
  ]);
});

test("each question has a nonce of its own of 32 bytes, and names instance and consumer", async () => {
  const net = network({ "10.0.0.1": [runs(fresh, "a")], "10.0.0.2": [runs(fresh, "b")] });
  await collect(net, { count: 2 });
  await collect(net, { count: 2 });
  const asked = net.requests.map(({ json }) => json as Asked);
  expect(new Set(asked.map(({ nonce }) => nonce)).size).toBe(4);
  for (const { nonce, ...rest } of asked) {
    expect(Buffer.from(nonce, "base64url")).toHaveLength(32);
    expect(nonce).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(rest).toEqual({ instance: "ins_1", consumer: "con_1" });
  }
});

describe("invariant 4: planted consumers", () => {
  test('one that keeps the old value and answers "healthy" shows nothing', async () => {
    const net = network({ "10.0.0.1": [() => reached({ status: "healthy" })] });
    expect(await collect(net)).toEqual({
      complete: false,
      instances: 0,
      lacks: [
        "Address 10.0.0.1 gave no answer to the challenge.",
        "Answered with version 2: 0 of 1 instances. Each needs an instance id of its own.",
      ],
    });
  });

  test("one that keeps the old value and answers the challenge is named as old", async () => {
    const net = network({ "10.0.0.1": [runs(old, "a")] });
    expect((await collect(net)).lacks[0]).toBe("Instance a at 10.0.0.1 is still on the old version 1.");
  });

  test("one of three instances behind one address that is old is found and named", async () => {
    const net = network({ "10.0.0.1": [runs(fresh, "a"), runs(fresh, "b"), runs(old, "c")] });
    const answer = await collect(net, { count: 3 });
    expect(answer).toMatchObject({ complete: false, instances: 2 });
    expect(net.requests).toHaveLength(3);
    expect(answer.lacks[0]).toBe("Instance c at 10.0.0.1 is still on the old version 1.");
  });

  test("one that is old blocks even beside enough that are new", async () => {
    const net = network({ "10.0.0.1": [runs(fresh, "a")], "10.0.0.2": [runs(old, "b")] });
    const answer = await collect(net, { count: 1 });
    expect(answer).toEqual({
      complete: false,
      instances: 1,
      lacks: ["Instance b at 10.0.0.2 is still on the old version 1."],
    });
  });

  test("one that adopts, then goes back during the grace, is named when it is asked again", async () => {
    const net = network({ "10.0.0.1": [runs(fresh, "a"), runs(old, "a")] });
    expect((await collect(net)).complete).toBe(true);
    expect((await collect(net)).complete).toBe(false);
  });
});

describe("instances behind one address", () => {
  test("are asked again until the declared number was met", async () => {
    const net = network({ "10.0.0.1": [runs(fresh, "a"), runs(fresh, "a"), runs(fresh, "b"), runs(fresh, "c")] });
    expect(await collect(net, { count: 3 })).toEqual({ complete: true, instances: 3, lacks: [] });
    expect(net.requests).toHaveLength(4);
  });

  test("are not asked for ever: the same instance again and again is one", async () => {
    const net = network({ "10.0.0.1": [runs(fresh, "a")] });
    expect(await collect(net, { count: 3 })).toMatchObject({ complete: false, instances: 1 });
    expect(net.requests).toHaveLength(12);
  });
});

describe("a DNS name that resolves to all", () => {
  test("asks each address and wants an instance behind each", async () => {
    const net = network({ "10.0.0.1": [runs(fresh, "a")], "10.0.0.2": [runs(fresh, "b")], "::1": [runs(fresh, "c")] });
    expect(await collect(net, { dns: true })).toEqual({ complete: true, instances: 3, lacks: [] });
  });

  test("is incomplete while one address does not answer, or two give one id", async () => {
    const silent = network({ "10.0.0.1": [runs(fresh, "a")], "10.0.0.2": [() => ({ outcome: "timed-out" })] });
    expect((await collect(silent, { dns: true })).lacks).toEqual([
      "Address 10.0.0.2 did not answer in time.",
      "Answered with version 2: 1 of 2 instances. Each needs an instance id of its own.",
    ]);
    const twins = network({ "10.0.0.1": [runs(fresh, "a")], "10.0.0.2": [runs(fresh, "a")] });
    expect(await collect(twins, { dns: true })).toMatchObject({ complete: false, instances: 1 });
  });

  test("that resolves to nothing, or to too many, asks nobody", async () => {
    const none = network({});
    expect((await collect(none, { dns: true })).lacks).toEqual(["The name app.internal resolves to no address."]);
    const many = network(Object.fromEntries(Array.from({ length: 257 }, (_, n) => [`10.0.${n >> 8}.${n & 255}`, []])));
    expect((await collect(many, { dns: true })).lacks).toEqual([
      "The name app.internal resolves to 257 addresses; at most 256 can be asked.",
    ]);
    expect([...none.requests, ...many.requests]).toEqual([]);
  });
});

describe("an answer that does not count", () => {
  test.each<[string, Process, RegExp]>([
    ["refused", () => ({ outcome: "refused" }), /could not be asked/],
    ["timed out", () => ({ outcome: "timed-out" }), /did not answer in time/],
    ["an error status", () => reached(undefined, 403), /status 403.*instance ins_1 and consumer con_1/],
    ["a redirect", () => reached(undefined, 307), /status 307/],
    ["a right answer under another status", (asked) => ({ ...runs(fresh, "a")(asked), status: 201 }), /status 201/],
    ["no body", () => reached(undefined), /gave no answer/],
    ["a list", () => reached([]), /gave no answer/],
    ["no MAC", runs(fresh, "a", { mac: "" }), /gave no answer/],
    ["a cut MAC", runs(fresh, "a", { mac: "A".repeat(42) }), /gave no answer/],
    ["a random MAC", runs(fresh, "a", { mac: randomBytes(32).toString("base64url") }), /another key than version 2/],
    ["a key of neither version", runs(version(9), "a"), /another key than version 2/],
    ["signed for another consumer", runs(fresh, "a", {}, { consumer: "con_2" }), /another key/],
    ["signed for another installation", runs(fresh, "a", {}, { instance: "ins_2" }), /another key/],
    ["signed for another nonce", runs(fresh, "a", {}, { nonce: "A".repeat(43) }), /another key/],
    ["another instance id than signed", runs(fresh, "a", { instanceId: "b" }), /another key/],
    ["another consumer echoed", runs(fresh, "a", { consumer: "con_2" }), /another instance or consumer/],
    ["another installation echoed", runs(fresh, "a", { instance: "ins_2" }), /another instance or consumer/],
    ["no instance id", runs(fresh, ""), /gave no answer/],
    ["a line end in the instance id", runs(fresh, "a\nb"), /gave no answer/],
    ["an endless instance id", runs(fresh, "a".repeat(129)), /gave no answer/],
  ])("%s", async (_name, process, says) => {
    const answer = await collect(network({ "10.0.0.1": [process] }));
    expect(answer).toMatchObject({ complete: false, instances: 0 });
    expect(answer.lacks[0]).toMatch(says);
  });

  test("an answer to an earlier question", async () => {
    let first: EgressAnswer | undefined;
    const replays: Process = (asked) => (first ??= runs(fresh, "a")(asked));
    const net = network({ "10.0.0.1": [replays] });
    expect((await collect(net)).complete).toBe(true);
    expect((await collect(net)).lacks[0]).toMatch(/another key/);
  });
});

describe("values of less than 128 bits", () => {
  const weak = version(3, "correct horse");

  test("are never asked about", async () => {
    const net = network({ "10.0.0.1": [runs(weak, "a")] });
    expect((await collect(net, { count: 1 }, { expected: weak })).lacks[0]).toMatch(
      /^Version 3 has less than 128 bits/,
    );
    expect(net.requests).toEqual([]);
  });

  test("do not hinder when they are the old version, and an answer with one counts as neither", async () => {
    const change = { unwanted: weak };
    expect((await collect(network({ "10.0.0.1": [runs(fresh, "a")] }), { count: 1 }, change)).complete).toBe(true);
    expect((await collect(network({ "10.0.0.1": [runs(weak, "a")] }), { count: 1 }, change)).complete).toBe(false);
  });
});

test("with nothing unwanted the new version alone is asked for", async () => {
  const change = { unwanted: undefined };
  expect((await collect(network({ "10.0.0.1": [runs(fresh, "a")] }), { count: 1 }, change)).complete).toBe(true);
  expect((await collect(network({ "10.0.0.1": [runs(old, "a")] }), { count: 1 }, change)).complete).toBe(false);
});

test("old and new of one value never count as moved", async () => {
  const change = { unwanted: { ...fresh, version: 1 } };
  expect((await collect(network({ "10.0.0.1": [runs(fresh, "a")] }), { count: 1 }, change)).complete).toBe(false);
});

test("invariant 6: the verdict holds neither the answer nor a value", async () => {
  const net = network({ "10.0.0.1": [runs(fresh, "a")], "10.0.0.2": [runs(old, "b")] });
  const text = inspect(await collect(net, { count: 2 }), { depth: null });
  const answers = net.requests.map(({ json }) =>
    [runs(fresh, "a"), runs(old, "b")].map((one) => one(json as Asked).body),
  );
  for (const { mac } of answers.flat() as { mac: string }[]) expect(text).not.toContain(mac);
  for (const { authenticator } of [fresh, old]) expect(text).not.toContain(authenticator.reveal());
});

describe("the configuration", () => {
  test("takes a URL and counts one instance unless told", () => {
    const url = "https://app.internal:8443/rekey?x=1";
    expect(challenge.configSchema.parse({ url })).toEqual({ url, instances: { count: 1 } });
    expect(challenge.configSchema.safeParse({ url, instances: { dns: true } }).success).toBe(true);
  });

  test.each([
    ["another scheme", { url: "ftp://app.internal/" }],
    ["no URL", { url: "app.internal" }],
    ["a password in the URL", { url: "https://u:p@app.internal/" }],
    ["a fragment", { url: "https://app.internal/#x" }],
    ["no instances", { instances: { count: 0 } }],
    ["two ways to count", { instances: { count: 1, dns: true } }],
    ["no way to count", { instances: {} }],
    ["an unknown key", { timeout: 1 }],
  ])("refuses %s", (_name, change) => {
    expect(challenge.configSchema.safeParse({ url: "https://app.internal/", ...change }).success).toBe(false);
  });
});
