import { createServer, connect, type AddressInfo, type Socket } from "node:net";

/** Looks at bytes on their way. To hold them, it returns what they wait for; to cut the line, `cut`. */
export type Watch = (bytes: Buffer) => Promise<void> | "cut" | undefined;

export interface TcpProxy {
  readonly port: number;
  /** Cuts every line and answers nobody, until `bringUp` takes the same port again. */
  takeDown(): Promise<void>;
  bringUp(): Promise<void>;
  close(): Promise<void>;
}

/** A way to a server on loopback that can be held, cut and closed, while the server itself runs on. */
export async function proxyTo(
  port: number,
  watch: { readonly toServer?: Watch; readonly toClient?: Watch } = {},
): Promise<TcpProxy> {
  const sockets = new Set<Socket>();

  function forward(from: Socket, to: Socket, look: Watch | undefined): void {
    from.on("error", () => to.destroy());
    from.on("close", () => to.destroy());
    let turn = Promise.resolve();
    from.on("data", (bytes: Buffer) => {
      const seen = look?.(bytes);
      if (seen === "cut") {
        from.destroy();
        to.destroy();
        return;
      }
      turn = turn.then(() => seen).then(() => void to.write(bytes));
    });
    from.on("end", () => {
      turn = turn.then(() => void to.end());
    });
  }

  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
    }
    forward(client, upstream, watch.toServer);
    forward(upstream, client, watch.toClient);
  });
  const listen = (at: number) => new Promise<void>((resolve) => server.listen(at, "127.0.0.1", resolve));
  await listen(0);
  const own = (server.address() as AddressInfo).port;

  async function takeDown(): Promise<void> {
    for (const socket of sockets) socket.destroy();
    if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
  }
  return { port: own, takeDown, bringUp: () => listen(own), close: takeDown };
}
