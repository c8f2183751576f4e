import { createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { openRole } from "../../../test/harness/postgres-role.ts";
import { Secret } from "../../contract/secret.ts";
import { connectionSchema } from "./config.ts";
import { logIn, type LoginFailure } from "./login.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

const message = (type: string, body: Buffer): Buffer => {
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
};
const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
/** https://www.postgresql.org/docs/18/protocol-message-formats.html */
const ask = {
  ok: message("R", int(0)),
  clearText: message("R", int(3)),
  md5: message("R", Buffer.concat([int(5), Buffer.from("salt")])),
  gss: message("R", int(7)),
  scram: message("R", Buffer.concat([int(10), Buffer.from("SCRAM-SHA-256\0\0")])),
  continued: (text: string) => message("R", Buffer.concat([int(11), Buffer.from(text)])),
  final: (text: string) => message("R", Buffer.concat([int(12), Buffer.from(text)])),
  ready: message("Z", Buffer.from("I")),
};

/** Plays a server: what it answers to each message, and all that it was sent. */
async function fakeServer(answer: (received: number, text: string, socket: Socket) => void) {
  const sent: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    let received = 0;
    socket.on("data", (data) => {
      sent.push(data);
      answer(received++, data.toString("latin1"), socket);
    });
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  return { host: "127.0.0.1", port, sent };
}

const password = "never-to-be-sent";

async function failureOn(server: { host: string; port: number }): Promise<LoginFailure> {
  const connection = connectionSchema.parse({ host: server.host, port: server.port, database: "d", user: "u" });
  const login = { user: "u", password: new Secret(password), database: "d" };
  return logIn(connection, login, new AbortController()).then(
    () => expect.fail("it was let in"),
    (error: unknown) => error as LoginFailure,
  );
}

test.each([
  ["clear text", ask.clearText, "clear_text_requested"],
  ["MD5", ask.md5, "md5_requested"],
  ["something unknown", ask.gss, "method_unsupported"],
])("a server that asks for %s gets no answer", async (_, request, code) => {
  const server = await fakeServer((received, __, socket) => received === 0 && socket.write(request));
  expect((await failureOn(server)).code).toBe(code);
  expect(server.sent, "nothing but the first message").toHaveLength(1);
  expect(Buffer.concat(server.sent).toString("latin1")).not.toContain(password);
});

test("a server that talks nonsense, before or after the login, ends the login and not the worker", async () => {
  const nonsense = message("T", Buffer.from([0xff, 0xff, 0xff]));
  const before = await fakeServer((received, _, socket) => received === 0 && socket.write(nonsense));
  expect((await failureOn(before)).code).toBe("unreachable");
  const after = await fakeServer((received, _, socket) => {
    socket.write(received === 0 ? Buffer.concat([ask.ok, ask.ready]) : nonsense);
  });
  const session = await openRole(after, { user: "admin", password }, { login: "x", database: "d" });
  await expect(session.identify()).rejects.toMatchObject({ code: "issuer_unreachable" });
  await session.close();
});

test("the connection's own login is guarded alike, and an operator is told", async () => {
  const server = await fakeServer((received, _, socket) => received === 0 && socket.write(ask.clearText));
  const admin = { user: "admin", password };
  const session = await openRole(server, admin, { login: "x", database: "d" });
  await expect(session.identify()).rejects.toMatchObject({ code: "transport_unverified", name: "OperatorNeededError" });
  expect(Buffer.concat(server.sent).toString("latin1")).not.toContain(password);
  await session.close();
});

test("a server that breaks SCRAM off and lets us in is not believed", async () => {
  const server = await fakeServer((received, text, socket) => {
    if (received === 0) socket.write(ask.scram);
    if (received === 1) {
      const nonce = /r=([^,]+)/.exec(text)?.[1] ?? "";
      socket.write(ask.continued(`r=${nonce}x,s=${Buffer.from("salt").toString("base64")},i=4096`));
    }
    if (received === 2) socket.write(Buffer.concat([ask.ok, ask.ready]));
  });
  expect((await failureOn(server)).code).toBe("server_unproven");
});

test("a server that ends SCRAM without knowing the verifier is not believed", async () => {
  const server = await fakeServer((received, text, socket) => {
    if (received === 0) socket.write(ask.scram);
    if (received === 1) {
      const nonce = /r=([^,]+)/.exec(text)?.[1] ?? "";
      socket.write(ask.continued(`r=${nonce}x,s=${Buffer.from("salt").toString("base64")},i=4096`));
    }
    const guess = Buffer.alloc(32).toString("base64");
    if (received === 2) socket.write(Buffer.concat([ask.final(`v=${guess}`), ask.ok, ask.ready]));
  });
  expect((await failureOn(server)).code).toBe("server_unproven");
});

test("a server without TLS is not talked to where TLS is asked for", async () => {
  const server = await fakeServer((received, _, socket) => received === 0 && socket.write("N"));
  const connection = connectionSchema.parse({
    ...{ host: server.host, port: server.port, database: "d", user: "u" },
    tls: { mode: "verify" },
  });
  const login = { user: "u", password: new Secret(password), database: "d" };
  await expect(logIn(connection, login, new AbortController())).rejects.toMatchObject({ code: "tls_refused" });
  expect(server.sent).toHaveLength(1);
});

test("a server that hangs is left when the call is cancelled", async () => {
  const cancel = new AbortController();
  const server = await fakeServer(() => cancel.abort());
  const connection = connectionSchema.parse({ host: server.host, port: server.port, database: "d", user: "u" });
  const login = { user: "u", password: new Secret(password), database: "d" };
  await expect(logIn(connection, login, cancel)).rejects.toMatchObject({ code: "cancelled" });
});
