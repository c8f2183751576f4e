import { createServer, request as sendPlain, type IncomingMessage } from "node:http";
import { createServer as createTlsServer, request as sendOverTls } from "node:https";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { gate } from "../../conformance/gate.ts";
import { needs } from "../needs.ts";
import { hasOpenssl, makeOwnCertificate, noOpenssl } from "../own-certificate.ts";
import { proxyHttp, type HttpCall, type HttpProxyOptions } from "./http.ts";

type Tls = HttpProxyOptions["tls"];

/** Counts what it applies, and answers with the count. */
async function startCounter(tls?: Tls) {
  const applied: string[] = [];
  const cut: string[] = [];
  const [hasCut, sayCut] = gate();
  const serve = (message: IncomingMessage, outgoing: { end(text: string): unknown }) => {
    let body = "";
    message.on("data", (chunk: Buffer) => (body += chunk.toString()));
    message.on("end", () => {
      applied.push(`${message.method} ${message.url} ${body}`);
      outgoing.end(`answer ${applied.length} of ${message.headers.host}`);
    });
    message.on("error", () => undefined);
    message.on("close", () => {
      if (message.complete) return;
      cut.push(body);
      sayCut();
    });
  };
  const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`, applied, cut, hasCut };
}

async function start(options?: HttpProxyOptions, serverTls?: Tls) {
  const counter = await startCounter(serverTls);
  const proxy = await proxyHttp(counter.url, options);
  onTestFinished(() => proxy.close());
  /** As a caller without retries: the status, the body as far as it came, and whether its end did. */
  const send = (path: string, body = "", method = "POST") => {
    const { promise, resolve } = Promise.withResolvers<{ status?: number; text: string; isWhole: boolean }>();
    const how = { method, agent: false as const, ...(options?.tls === undefined ? {} : { ca: options.tls.cert }) };
    const sent = (options?.tls === undefined ? sendPlain : sendOverTls)(`${proxy.url}${path}`, how, (answer) => {
      let text = "";
      answer.on("data", (chunk: Buffer) => (text += chunk.toString()));
      answer.on("error", () => undefined);
      answer.on("close", () => resolve({ status: answer.statusCode ?? 0, text, isWhole: answer.complete }));
    });
    sent.on("error", () => resolve({ text: "", isWhole: false }));
    sent.end(body);
    return { answer: promise, hangUp: () => sent.destroy() };
  };
  return { ...counter, proxy, send };
}

const at = (path: string) => (call: HttpCall) => call.path === path;
const nothing = { text: "", isWhole: false };

describe("a proxy for HTTP", () => {
  test("passes everything on, the Host too, and logs each call with what became of it", async () => {
    const { proxy, send, applied } = await start();
    const host = `127.0.0.1:${proxy.port}`;
    expect(await send("/a?b=1", "one").answer).toEqual({ status: 200, text: `answer 1 of ${host}`, isWhole: true });
    await send("/a", "", "GET").answer;
    expect(applied).toEqual(["POST /a?b=1 one", "GET /a "]);
    expect(proxy.calls).toMatchObject([
      { method: "POST", path: "/a?b=1", body: "one", applied: 1, status: 200 },
      { method: "GET", path: "/a", applied: 1, status: 200 },
    ]);
    expect(proxy.effects().map(({ method }) => method)).toEqual(["POST"]);
  });

  test("applies a call and loses its answer, for as many calls as it was told and only those that match", async () => {
    const { proxy, send, applied } = await start();
    void proxy.meet(at("/lost"), { do: "lose-answer" }, 2);
    expect(await send("/lost").answer).toEqual(nothing);
    expect((await send("/kept").answer).status).toBe(200);
    expect(await send("/lost").answer).toEqual(nothing);
    expect((await send("/lost").answer).status).toBe(200);
    expect(applied).toHaveLength(4);
    expect(proxy.calls.map(({ met }) => met)).toEqual(["lose-answer", undefined, "lose-answer", undefined]);
  });

  test("delays a call until it may go, and sends it although its caller has gone", async () => {
    const { proxy, send, applied } = await start();
    const [until, release] = gate();
    const arrived = proxy.meet(at("/slow"), { do: "delay", until });
    const call = send("/slow", "late");
    expect((await arrived).body).toBe("late");
    await send("/quick").answer;
    expect(applied).toEqual(["POST /quick "]);
    call.hangUp();
    await call.answer;
    release();
    await expect.poll(() => applied).toEqual(["POST /quick ", "POST /slow late"]);
  });

  test("delays only the answer of a call that is applied at once", async () => {
    const { proxy, send, applied } = await start();
    const [until, release] = gate();
    void proxy.meet(at("/slow"), { do: "delay-answer", until });
    let isAnswered = false;
    const answer = send("/slow").answer.finally(() => (isAnswered = true));
    await expect.poll(() => applied).toHaveLength(1);
    await send("/quick").answer;
    expect(isAnswered).toBe(false);
    release();
    expect((await answer).text).toContain("answer 1");
  });

  test("sends a call twice, and its caller hears the second answer", async () => {
    const { proxy, send, applied } = await start();
    void proxy.meet(at("/twice"), { do: "send-twice" });
    expect((await send("/twice", "x").answer).text).toContain("answer 2");
    expect(applied).toEqual(["POST /twice x", "POST /twice x"]);
    expect(proxy.calls).toMatchObject([{ applied: 2, met: "send-twice" }]);
  });

  test("holds a call until another one has passed, so that it lands after a newer one", async () => {
    const { proxy, send, applied } = await start();
    const arrived = proxy.meet(({ body }) => body === "first", {
      do: "hold-behind",
      match: ({ body }) => body === "second",
    });
    const first = send("/set", "first");
    await arrived;
    await send("/set", "other").answer;
    await send("/set", "second").answer;
    await first.answer;
    expect(applied).toEqual(["POST /set other", "POST /set second", "POST /set first"]);
  });

  test("cuts a call after some bytes: the server sees its beginning and applies nothing", async () => {
    const { proxy, send, applied, cut, hasCut } = await start();
    void proxy.meet(at("/cut"), { do: "cut-request", after: 3 });
    expect(await send("/cut", "abcdef").answer).toEqual(nothing);
    await hasCut;
    expect([applied, cut]).toEqual([[], ["abc"]]);
    expect(proxy.effects()).toMatchObject([{ met: "cut-request", applied: 0 }]);
  });

  test("cuts an answer after some bytes of a call that is applied", async () => {
    const { proxy, send, applied } = await start();
    void proxy.meet(at("/cut"), { do: "cut-answer", after: 6 });
    expect(await send("/cut").answer).toEqual({ status: 200, text: "answer", isWhole: false });
    expect(applied).toHaveLength(1);
  });

  test("answers instead, and the server hears nothing", async () => {
    const { proxy, send, applied } = await start();
    void proxy.meet(() => true, { do: "answer", status: 503, body: { errors: ["sealed"] } });
    expect(await send("/a").answer).toEqual({ status: 503, text: '{"errors":["sealed"]}', isWhole: true });
    expect(applied).toEqual([]);
    expect(proxy.effects()).toEqual([]);
  });

  test("a rule for each call stands behind the orders, and the last rule counts", async () => {
    const { proxy, send } = await start();
    proxy.each(() => ({ do: "answer", status: 500 }));
    proxy.each(({ path }) => (path === "/busy" ? { do: "answer", status: 429 } : undefined));
    void proxy.meet(at("/busy"), { do: "answer", status: 418 });
    const statuses = [await send("/busy").answer, await send("/busy").answer, await send("/a").answer];
    expect(statuses.map(({ status }) => status)).toEqual([418, 429, 200]);
  });

  test("what has an effect is for the test to say, where a protocol posts everything", async () => {
    const { proxy, send } = await start({ hasEffect: ({ body }) => body.includes("Action=Create") });
    await send("/", "Action=List").answer;
    await send("/", "Action=Create").answer;
    expect(proxy.effects().map(({ body }) => body)).toEqual(["Action=Create"]);
  });

  test("over TLS it shows its own certificate, and believes only a server that its CA signed", async (context) => {
    needs(context, hasOpenssl, noOpenssl);
    const [back, front] = [makeOwnCertificate(), makeOwnCertificate()];
    const { send, proxy } = await start({ ca: back.cert, tls: front }, back);
    expect((await send("/a").answer).text).toContain("answer 1");
    void proxy.meet(at("/lost"), { do: "lose-answer" });
    expect(await send("/lost").answer).toEqual(nothing);
    const stranger = await start({ ca: front.cert, tls: front }, back);
    expect(await stranger.send("/a").answer).toEqual(nothing);
    expect(stranger.applied).toEqual([]);
  });

  test("a server that is gone is a line that is cut", async () => {
    const proxy = await proxyHttp("http://127.0.0.1:1");
    onTestFinished(() => proxy.close());
    await expect(fetch(`${proxy.url}/a`)).rejects.toThrow("fetch failed");
    expect(proxy.calls).toMatchObject([{ applied: 0 }]);
  });
});
