import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { bookOf, type Command, type Orders } from "./commands.ts";

/** Bytes from a client, as they came in one piece. What a protocol calls a call is for the test to recognise. */
export type TcpCall = Buffer;

export type TcpCommand =
  | Exclude<Command<TcpCall>, { readonly do: "lose-answer" }>
  /** The server applies it; the line is cut in the place of the first bytes of its answer that are these. */
  | { readonly do: "lose-answer"; readonly answer?: (bytes: Buffer) => boolean };

export interface TcpProxy extends Orders<TcpCall, TcpCommand> {
  readonly port: number;
  /** Cuts every line and answers nobody, until `bringUp` takes the same port again. */
  takeDown(): Promise<void>;
  bringUp(): Promise<void>;
  close(): Promise<void>;
}

/**
 * A way to a server on loopback that can be held, cut and closed, while the server itself runs on. TLS passes as it is.
 * `send-twice` sends all that the line has sent so far on a line of its own: right for a protocol without a challenge.
 */
export async function proxyTcp(port: number): Promise<TcpProxy> {
  const book = bookOf<TcpCall, TcpCommand>();
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    socket.setNoDelay(true);
    sockets.add(socket);
    return socket.on("close", () => sockets.delete(socket)).on("error", () => undefined);
  };

  /** Sends it all on a line of its own, and returns when the server has answered. */
  async function sendAgain(bytes: Buffer): Promise<void> {
    const line = keep(connect(port, "127.0.0.1"));
    const { promise, resolve } = Promise.withResolvers<void>();
    line.once("data", () => resolve()).once("close", () => resolve());
    line.write(bytes);
    await promise;
    line.destroy();
  }

  function serve(client: Socket): void {
    const upstream = keep(connect(port, "127.0.0.1"));
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    const sent: Buffer[] = [];
    let last: TcpCall = Buffer.alloc(0);
    /** Stays until it has met an answer: a call may come in several pieces, of which one is recognised. */
    let command: TcpCommand | undefined;
    let left = 0;

    async function toServer(call: TcpCall): Promise<void> {
      const found = book.find(call);
      if (found?.do === "delay") await found.until;
      if (found?.do === "hold-behind") await book.untilPassed(found.match);
      if (found?.do === "send-twice") await sendAgain(Buffer.concat([...sent, call]));
      if (found?.do === "cut-request") {
        upstream.write(call.subarray(0, found.after), cut);
        return;
      }
      sent.push(call);
      last = call;
      command = found ?? command;
      if (found?.do === "cut-answer") left = found.after;
      upstream.write(call);
    }

    async function toClient(bytes: Buffer): Promise<void> {
      book.passed(last);
      if (command?.do === "lose-answer" && command.answer?.(bytes) !== false) return cut();
      if (command?.do === "delay-answer") await command.until;
      if (command?.do !== "cut-answer") return void client.write(bytes);
      client.write(bytes.subarray(0, left));
      left -= bytes.length;
      if (left <= 0) cutBehind();
    }

    /** What is written reaches the client before the line is cut. */
    function cutBehind(): void {
      client.destroySoon();
      upstream.destroy();
    }

    forward(client, upstream, toServer, cut);
    forward(upstream, client, toClient, cut);
  }

  const server = createServer((client) => serve(keep(client)));
  const listen = (at: number) => new Promise<void>((resolve) => server.listen(at, "127.0.0.1", resolve));
  await listen(0);
  const own = (server.address() as AddressInfo).port;

  async function takeDown(): Promise<void> {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
  return {
    port: own,
    meet: book.meet,
    each: book.each,
    takeDown,
    bringUp: () => listen(own),
    close: takeDown,
  };
}

/** Everything in its order: what is held holds what comes behind it on the same line, and lands after its sender has gone. */
function forward(from: Socket, to: Socket, take: (bytes: Buffer) => Promise<void>, cut: () => void): void {
  let turn = Promise.resolve();
  from.on("data", (bytes: Buffer) => {
    turn = turn.then(() => take(bytes)).catch(cut);
  });
  from.on("end", () => {
    turn = turn.then(() => void to.end());
  });
  from.on("close", () => {
    turn = turn.then(() => to.destroySoon());
  });
}
