import { randomBytes } from "node:crypto";
import { execFile } from "node:child_process";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { networkInterfaces } from "node:os";
import { promisify } from "node:util";
import { afterEach, expect, test, vi } from "vitest";
import { createEgress, type EgressSettings } from "./egress-client.ts";
import { Secret } from "./secret.ts";
import { needs } from "../../test/harness/needs.ts";

const open: Server[] = [];
const never = new AbortController().signal;

afterEach(() => {
  for (const server of open.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function listen(listener: RequestListener, host = "127.0.0.1"): Promise<{ port: number; calls: () => number }> {
  let calls = 0;
  const server = createServer(listener);
  server.on("connection", () => (calls += 1));
  open.push(server);
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return { port: (server.address() as AddressInfo).port, calls: () => calls };
}

function egressTo(port: number, more: Partial<EgressSettings> = {}) {
  return createEgress({ allowedLocalPorts: [port], ownPorts: [], ...more });
}

const json =
  (body: unknown): RequestListener =>
  (_request, response) =>
    response.end(JSON.stringify(body));

test("posts JSON and hands the parsed answer to the collector", async () => {
  let heard = "";
  const { port } = await listen((request, response) => {
    heard = `${request.method} ${request.url} ${request.headers.host} ${request.headers["content-type"]} `;
    request.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    request.on("end", () => response.end('{"ok":true}'));
  });
  const answer = await egressTo(port)({ url: `http://127.0.0.1:${port}/a?b=c`, json: { n: 1 } }, never);
  expect(answer).toEqual({ outcome: "reached", status: 200, body: { ok: true } });
  expect(heard).toBe(`POST /a?b=c 127.0.0.1:${port} application/json {"n":1}`);
});

test("another method and another kind of body are sent as asked, and a created thing is read too", async () => {
  let heard = "";
  const { port } = await listen((request, response) => {
    heard = `${request.method} ${request.headers["content-type"]} `;
    request.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    request.on("end", () => response.writeHead(201).end('{"made":1}'));
  });
  const url = `http://127.0.0.1:${port}/`;
  const patch = { url, method: "PATCH", contentType: "application/merge-patch+json", json: { n: 1 } } as const;
  expect(await egressTo(port)(patch, never)).toEqual({ outcome: "reached", status: 201, body: { made: 1 } });
  expect(heard).toBe('PATCH application/merge-patch+json {"n":1}');
  await egressTo(port)({ url, method: "GET" }, never);
  expect(heard).toBe("GET undefined ");
});

test("when the server says when to ask again, the answer tells", async () => {
  const { port } = await listen((_request, response) => response.writeHead(429, { "retry-after": "3" }).end());
  const answer = await egressTo(port)({ url: `http://127.0.0.1:${port}/`, json: {} }, never);
  expect(answer).toEqual({ outcome: "reached", status: 429, retryAfterMs: 3000 });
});

test("a larger answer is read when it is asked for", async () => {
  const { port } = await listen((_request, response) => response.end(`"${"x".repeat(100_000)}"`));
  const answer = await egressTo(port)({ url: `http://127.0.0.1:${port}/`, largestAnswer: 200_000 }, never);
  expect(answer.body).toHaveLength(100_000);
});

test("a token never goes over plain http", async () => {
  const { port, calls } = await listen(json(1));
  const token = new Secret(randomBytes(8).toString("hex"));
  expect(await egressTo(port)({ url: `http://127.0.0.1:${port}/`, token }, never)).toEqual({ outcome: "refused" });
  expect(calls()).toBe(0);
});

test("a secret header never goes over plain http", async () => {
  const { port, calls } = await listen(json(1));
  const secretHeaders = { "x-vault-token": new Secret(randomBytes(8).toString("hex")) };
  expect(await egressTo(port)({ url: `http://127.0.0.1:${port}/`, secretHeaders }, never)).toEqual({
    outcome: "refused",
  });
  expect(calls()).toBe(0);
});

test("headers are sent as given, but none that belongs to the call or proves who asks", async () => {
  const { port } = await listen((request, response) => response.end(JSON.stringify(request.headers)));
  const headers = { "x-request": "7", Host: "elsewhere", authorization: "Bearer x", cookie: "a=b", connection: "keep" };
  const { body } = await egressTo(port)({ url: `http://127.0.0.1:${port}/`, method: "GET", headers }, never);
  expect(body).toEqual({ "x-request": "7", host: `127.0.0.1:${port}`, connection: "close" });
});

test("a text is sent byte for byte, with the method and the kind that are asked for", async () => {
  let heard = "";
  const { port } = await listen((request, response) => {
    heard = `${request.method} ${request.headers["content-type"]} `;
    request.on("data", (chunk: Buffer) => (heard += chunk.toString()));
    request.on("end", () => response.end("{}"));
  });
  const url = `http://127.0.0.1:${port}/`;
  await egressTo(port)({ url, method: "PUT", text: "Action=é&b=%20", contentType: "text/plain" }, never);
  expect(heard).toBe("PUT text/plain Action=é&b=%20");
  await egressTo(port)({ url, method: "DELETE" }, never);
  expect(heard).toBe("DELETE undefined ");
});

test("what a failure says is read where it is asked for, as JSON or as it came", async () => {
  const { port } = await listen((_request, response) =>
    response.writeHead(503, { "x-what": "sealed" }).end('{"errors":["sealed"]}'),
  );
  const ask = { url: `http://127.0.0.1:${port}/` };
  const reached = { outcome: "reached", status: 503 } as const;
  expect(await egressTo(port)(ask, never)).toEqual(reached);
  expect(await egressTo(port)({ ...ask, reads: "any" }, never)).toEqual({ ...reached, body: { errors: ["sealed"] } });
  const { raw, ...rest } = await egressTo(port)({ ...ask, reads: "raw" }, never);
  expect(rest).toEqual(reached);
  expect(raw?.text).toBe('{"errors":["sealed"]}');
  expect(raw?.headers["x-what"]).toBe("sealed");
});

test("a given address is connected to, under the name of the URL", async () => {
  const { port } = await listen((request, response) => response.end(JSON.stringify(request.headers.host)), "127.0.0.2");
  const resolve = vi.fn<(name: string) => Promise<string[]>>();
  const egress = egressTo(port, { resolve });
  const answer = await egress({ url: `http://app.internal:${port}/`, address: "127.0.0.2", json: {} }, never);
  expect(answer.body).toBe(`app.internal:${port}`);
  expect(resolve).not.toHaveBeenCalled();
});

test("a redirect is not followed", async () => {
  const goal = await listen(json("secret"));
  const { port } = await listen((_request, response) =>
    response.writeHead(307, { location: `http://127.0.0.1:${goal.port}/` }).end('{"a":1}'),
  );
  const egress = egressTo(port, { allowedLocalPorts: [port, goal.port] });
  expect(await egress({ url: `http://127.0.0.1:${port}/`, json: {} }, never)).toEqual({
    outcome: "reached",
    status: 307,
  });
  expect(goal.calls()).toBe(0);
});

test.each([
  ["an error page", 500, '{"detail":"x"}'],
  ["no JSON", 200, "<html>"],
  ["no UTF-8", 200, Buffer.from([0x22, 0xff, 0x22])],
  ["one byte over the limit", 200, `"${"x".repeat(65_535)}"`],
])("%s gives a status and no body", async (_name, status, body) => {
  const { port } = await listen((_request, response) => response.writeHead(status).end(body));
  const answer = await egressTo(port)({ url: `http://127.0.0.1:${port}/`, json: {} }, never);
  expect(answer).toEqual({ outcome: "reached", status });
});

test("an answer of exactly 64 KiB is read", async () => {
  const { port } = await listen((_request, response) => response.end(`"${"x".repeat(65_534)}"`));
  const answer = await egressTo(port)({ url: `http://127.0.0.1:${port}/`, json: {} }, never);
  expect(answer.body).toHaveLength(65_534);
});

test.each([200, 500])("an answer without end (status %d) is left, and its connection closed", async (status) => {
  const closed = Promise.withResolvers<void>();
  const { port } = await listen((_request, response) => {
    const pour = () => {
      while (!response.destroyed && response.write("x".repeat(4_096)));
    };
    response.writeHead(status).on("drain", pour).on("close", closed.resolve);
    pour();
  });
  const answer = await egressTo(port)({ url: `http://127.0.0.1:${port}/`, json: {} }, never);
  expect(answer).toEqual({ outcome: "reached", status });
  await closed.promise;
});

test.each<[string, RequestListener]>([
  ["never answers", () => undefined],
  ["begins to answer and never ends", (_request, response) => response.write('{"a":')],
  [
    "sends one byte after another",
    (_request, response) => {
      const timer = setInterval(() => response.write(" "), 20);
      response.on("close", () => clearInterval(timer));
    },
  ],
])("a server that %s is timed out, and its connection closed", async (_name, listener) => {
  const closed = Promise.withResolvers<void>();
  const { port } = await listen((request, response) => {
    response.on("close", closed.resolve);
    listener(request, response);
  });
  const egress = egressTo(port, { timeoutMs: 150 });
  expect(await egress({ url: `http://127.0.0.1:${port}/`, json: {} }, never)).toEqual({ outcome: "timed-out" });
  await closed.promise;
});

test("a resolver that never answers is timed out, and resolves to nothing", async () => {
  const egress = egressTo(1, { timeoutMs: 50, resolve: () => new Promise(() => undefined) });
  expect(await egress({ url: "http://app.internal:1/", json: {} }, never)).toEqual({ outcome: "timed-out" });
  expect(await egress.resolve("app.internal")).toEqual([]);
});

test("a closed port and a broken connection are refused, and the log alone hears why", async () => {
  const { port } = await listen((request) => request.socket.destroy());
  const reasons: unknown[] = [];
  const closed = await listen(json(1));
  open.pop()?.close();
  const egress = egressTo(port, {
    allowedLocalPorts: [port, closed.port],
    log: (event, fields) => reasons.push(event, fields),
  });
  for (const to of [closed.port, port])
    expect(await egress({ url: `http://127.0.0.1:${to}/`, json: {} }, never)).toEqual({ outcome: "refused" });
  expect(reasons).toEqual(["egress.refused", { reason: "ECONNREFUSED" }, "egress.refused", { reason: "ECONNRESET" }]);
});

test("the caller's signal ends a call with the caller's reason", async () => {
  const asked = Promise.withResolvers<void>();
  const { port } = await listen(() => asked.resolve());
  const controller = new AbortController();
  const call = egressTo(port)({ url: `http://127.0.0.1:${port}/`, json: {} }, controller.signal);
  await asked.promise;
  controller.abort(new Error("activity cancelled"));
  await expect(call).rejects.toThrow("activity cancelled");
  await expect(egressTo(port)({ url: `http://127.0.0.1:${port}/`, json: {} }, controller.signal)).rejects.toThrow(
    "activity cancelled",
  );
});

test("loopback on a port that is not listed is refused without a connection", async () => {
  const { port, calls } = await listen(json(1));
  const egress = createEgress({ allowedLocalPorts: [], ownPorts: [] });
  for (const host of ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "0.0.0.0"])
    expect((await egress({ url: `http://${host}:${port}/`, json: {} }, never)).outcome).toBe("refused");
  expect(calls()).toBe(0);
});

test("a name that changes its address between two look-ups leads to the address that was judged", async () => {
  const { port } = await listen(json("here"));
  const turns =
    (...answers: string[]) =>
    async () => [answers.shift() ?? "192.0.2.9"];
  const url = `http://rebind.example:${port}/`;
  const rebound = egressTo(port, { resolve: turns("127.0.0.1", "169.254.169.254") });
  expect((await rebound({ url, json: {} }, never)).body).toBe("here");
  expect((await rebound({ url, json: {} }, never)).outcome).toBe("refused");

  const own = await listen(json("our own"));
  const toOwn = createEgress({
    allowedLocalPorts: [own.port],
    ownPorts: [own.port],
    resolve: turns("192.0.2.1", "127.0.0.1"),
  });
  for (let call = 0; call < 2; call += 1)
    expect((await toOwn({ url: `http://rebind.example:${own.port}/`, json: {} }, never)).outcome).toBe("refused");
  expect(own.calls()).toBe(0);
});

const hasIpv6 = Object.values(networkInterfaces()).some((found) => found?.some(({ address }) => address === "::1"));
test("an IPv6 address in the URL is reached", async (context) => {
  needs(context, hasIpv6, "this machine has no ::1");
  const { port } = await listen((request, response) => response.end(JSON.stringify(request.headers.host)), "::1");
  const answer = await egressTo(port)({ url: `http://[::1]:${port}/`, json: {} }, never);
  expect(answer.body).toBe(`[::1]:${port}`);
});

test.each([
  "https://169.254.169.254/latest/meta-data",
  "https://2852039166/",
  "https://0xA9FEA9FE/",
  "https://0251.0376.0251.0376/",
  "https://169.254.43518/",
  "https://169.254.169.254./",
  "https://１６９.254.169.254/",
  "https://[::ffff:169.254.169.254]/",
  "https://[::ffff:a9fe:a9fe]/",
  "https://[64:ff9b::a9fe:a9fe]/",
  "https://[fd00:ec2::254]/",
  "https://metadata.example/",
])("metadata by %s is denied", async (url) => {
  const reasons: unknown[] = [];
  const resolve = async () => ["169.254.169.254"];
  const egress = createEgress({ allowedLocalPorts: [443], ownPorts: [], resolve, log: (_event, f) => reasons.push(f) });
  expect(await egress({ url, json: {} }, never)).toEqual({ outcome: "refused" });
  expect(reasons).toEqual([{ reason: "denied-network" }]);
});

test("an address given by the caller is judged as well", async () => {
  const { port, calls } = await listen(json(1));
  const egress = createEgress({ allowedLocalPorts: [], ownPorts: [], allowedNetworks: ["192.0.2.0/24"] });
  for (const address of ["127.0.0.1", "169.254.169.254", "10.0.0.1", "localhost", ""])
    expect((await egress({ url: `https://app.example:${port}/`, address, json: {} }, never)).outcome).toBe("refused");
  expect(calls()).toBe(0);
});

test.each([
  ["ftp://127.0.0.1/", "not-http"],
  ["file:///srv/app/password", "not-http"],
  ["unix:/run/app.sock", "not-http"],
  ["no url", "not-http"],
  ["http://user@127.0.0.1/", "credentials-in-url"],
  ["http://:word@127.0.0.1/", "credentials-in-url"],
])("%s is refused (%s)", async (url, reason) => {
  const reasons: unknown[] = [];
  const egress = createEgress({ allowedLocalPorts: [80], ownPorts: [], log: (_event, fields) => reasons.push(fields) });
  expect(await egress({ url, json: {} }, never)).toEqual({ outcome: "refused" });
  expect(reasons).toEqual([{ reason }]);
});

test("a name resolves to each of its addresses once, an address to itself, an unknown name to none", async () => {
  const egress = createEgress({
    allowedLocalPorts: [],
    ownPorts: [],
    resolve: async (name) =>
      name === "app.internal" ? ["10.0.0.1", "10.0.0.2", "10.0.0.1"] : Promise.reject(new Error()),
  });
  expect(await egress.resolve("app.internal")).toEqual(["10.0.0.1", "10.0.0.2"]);
  expect(await egress.resolve("[::1]")).toEqual(["::1"]);
  expect(await egress.resolve("unknown.internal")).toEqual([]);
  expect(await createEgress({ allowedLocalPorts: [], ownPorts: [] }).resolve("localhost")).toContain("127.0.0.1");
});

test("a proxy that the environment names is not asked", async () => {
  const proxy = await listen(json("from the proxy"));
  const { port } = await listen(json("direct"));
  const url = `http://127.0.0.1:${port}/`;
  const run = async (code: string) => {
    const environment = { ...process.env, NODE_USE_ENV_PROXY: "1", http_proxy: `http://127.0.0.1:${proxy.port}` };
    const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", code], {
      env: { ...environment, no_proxy: "", NO_PROXY: "" },
    });
    return JSON.parse(stdout) as unknown;
  };
  // The control: what does not guard itself is led to the proxy.
  const control = `import { get } from "node:http";
    get(${JSON.stringify(url)}, (response) => response.pipe(process.stdout));`;
  expect(await run(control)).toBe("from the proxy");
  const asked = proxy.calls();
  const ours = `import { createEgress } from ${JSON.stringify(new URL("egress-client.ts", import.meta.url).href)};
    const call = createEgress({ allowedLocalPorts: [${port}], ownPorts: [] });
    const answer = await call({ url: ${JSON.stringify(url)}, json: {} }, new AbortController().signal);
    process.stdout.write(JSON.stringify(answer.body));`;
  expect(await run(ours)).toBe("direct");
  expect(proxy.calls()).toBe(asked);
});
