import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { gate } from "../../conformance/gate.ts";
import { proxyTcp } from "./tcp.ts";

/** Keeps what it is sent, line by line, and says "ok" to each. */
async function start() {
  const applied: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let rest = "";
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      const lines = `${rest}${bytes.toString()}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        applied.push(line);
        socket.write(`ok ${line}\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const proxy = await proxyTcp((server.address() as AddressInfo).port);
  onTestFinished(async () => {
    await proxy.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });

  async function client() {
    const socket = connect(proxy.port, "127.0.0.1").setNoDelay(true);
    socket.on("error", () => undefined);
    const heard: Buffer[] = [];
    socket.on("data", (bytes: Buffer) => heard.push(bytes));
    const closed = once(socket, "close");
    await once(socket, "connect");
    return {
      say: (text: string) => socket.write(text),
      heard: () => Buffer.concat(heard).toString(),
      closed,
      hangUp: () => socket.destroy(),
    };
  }
  return { proxy, applied, client };
}

const is = (text: string) => (bytes: Buffer) => bytes.includes(text);

describe("a proxy for TCP", () => {
  test("passes bytes on in both directions", async () => {
    const { applied, client } = await start();
    const line = await client();
    line.say("one\n");
    await expect.poll(() => line.heard()).toBe("ok one\n");
    expect(applied).toEqual(["one"]);
  });

  test("lets a call be applied and cuts the line in the place of its answer", async () => {
    const { applied, client, proxy } = await start();
    void proxy.meet(is("set"), { do: "lose-answer" });
    const line = await client();
    line.say("set\n");
    await line.closed;
    expect([applied, line.heard()]).toEqual([["set"], ""]);
    const next = await client();
    next.say("set\n");
    await expect.poll(() => next.heard()).toBe("ok set\n");
  });

  test("an answer to lose may be told from what comes before it", async () => {
    const { applied, client, proxy } = await start();
    void proxy.meet(is("open"), { do: "lose-answer", answer: is("ok commit") });
    const line = await client();
    line.say("open\n");
    await expect.poll(() => line.heard()).toBe("ok open\n");
    line.say("commit\n");
    await line.closed;
    expect([applied, line.heard()]).toEqual([["open", "commit"], "ok open\n"]);
  });

  test("holds a call, and sends it although its caller has gone", async () => {
    const { applied, client, proxy } = await start();
    const [until, release] = gate();
    const arrived = proxy.meet(is("slow"), { do: "delay", until });
    const [line, other] = [await client(), await client()];
    line.say("slow\n");
    await arrived;
    other.say("quick\n");
    await expect.poll(() => other.heard()).toBe("ok quick\n");
    line.hangUp();
    await line.closed;
    expect(applied).toEqual(["quick"]);
    release();
    await expect.poll(() => applied).toEqual(["quick", "slow"]);
  });

  test("holds only the answer of a call that is applied", async () => {
    const { applied, client, proxy } = await start();
    const [until, release] = gate();
    void proxy.meet(is("slow"), { do: "delay-answer", until });
    const line = await client();
    line.say("slow\n");
    await expect.poll(() => applied).toEqual(["slow"]);
    const other = await client();
    other.say("quick\n");
    await expect.poll(() => other.heard()).toBe("ok quick\n");
    expect(line.heard()).toBe("");
    release();
    await expect.poll(() => line.heard()).toBe("ok slow\n");
  });

  test("holds a call until another one has passed", async () => {
    const { applied, client, proxy } = await start();
    const arrived = proxy.meet(is("first"), { do: "hold-behind", match: is("second") });
    const [line, other] = [await client(), await client()];
    line.say("first\n");
    await arrived;
    other.say("second\n");
    await expect.poll(() => line.heard()).toBe("ok first\n");
    expect(applied).toEqual(["second", "first"]);
  });

  test("sends all that a line has said twice, and its caller hears one answer", async () => {
    const { applied, client, proxy } = await start();
    void proxy.meet(is("set"), { do: "send-twice" });
    const line = await client();
    line.say("login\n");
    await expect.poll(() => line.heard()).toBe("ok login\n");
    line.say("set\n");
    await expect.poll(() => line.heard()).toBe("ok login\nok set\n");
    expect(applied).toEqual(["login", "login", "set", "set"]);
  });

  test("cuts a call after some bytes", async () => {
    const { applied, client, proxy } = await start();
    void proxy.meet(is("set"), { do: "cut-request", after: 6 });
    const line = await client();
    line.say("a\nbc\nset\n");
    await line.closed;
    // Six bytes are two lines and the beginning of a third, which is never whole.
    await expect.poll(() => applied).toEqual(["a", "bc"]);
  });

  test("cuts an answer after some bytes", async () => {
    const { applied, client, proxy } = await start();
    void proxy.meet(is("set"), { do: "cut-answer", after: 4 });
    const line = await client();
    line.say("set\n");
    await line.closed;
    expect([applied, line.heard()]).toEqual([["set"], "ok s"]);
  });

  test("answers nobody while it is down, and comes back on the same port", async () => {
    const { client, proxy, applied } = await start();
    const line = await client();
    await proxy.takeDown();
    await line.closed;
    const { port } = proxy;
    const refused = connect(port, "127.0.0.1");
    const [error] = (await once(refused, "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
    await proxy.bringUp();
    const next = await client();
    next.say("back\n");
    await expect.poll(() => applied).toEqual(["back"]);
  });
});
