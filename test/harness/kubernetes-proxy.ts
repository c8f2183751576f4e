import { createServer, request } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Kubernetes } from "./kubernetes.ts";

/** What the proxy does instead of passing a call on, or before; undefined passes it on. */
export type Interference =
  | { readonly answer: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown }
  | { readonly hold: Promise<void> }
  | { readonly loseAnswer: true };

export interface KubernetesProxy {
  readonly server: string;
  readonly port: number;
  /** Asked of every call. */
  interfere: (method: string, path: string) => Interference | undefined;
  close(): void;
}

/** Stands in front of the API server with the server's own certificate, and does to calls what a network or a server in need does. */
export async function proxyTo({ server, ca, tls }: Kubernetes): Promise<KubernetesProxy> {
  const pass = (incoming: IncomingMessage, body: Buffer, outgoing: ServerResponse, isLost: boolean) => {
    const { method = "GET", headers, url = "/" } = incoming;
    const sent = request(new URL(url, server), { method, headers, ca, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on("data", (chunk: Buffer) => chunks.push(chunk));
      answer.on("end", () => {
        if (isLost) outgoing.destroy();
        else outgoing.writeHead(answer.statusCode ?? 502, answer.headers).end(Buffer.concat(chunks));
      });
    });
    sent.on("error", () => outgoing.destroy());
    sent.end(body);
  };
  const proxy: KubernetesProxy = {
    server: "",
    port: 0,
    interfere: () => undefined,
    close() {
      front.closeAllConnections();
      front.close();
    },
  };
  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming as AsyncIterable<Buffer>) chunks.push(chunk);
    const found = proxy.interfere(incoming.method ?? "GET", incoming.url ?? "/");
    if (found !== undefined && "hold" in found) await found.hold;
    if (found !== undefined && "answer" in found) {
      const body = JSON.stringify(found.body ?? { kind: "Status", message: "made by the test" });
      outgoing.writeHead(found.answer, { "content-type": "application/json", ...found.headers }).end(body);
      return;
    }
    pass(incoming, Buffer.concat(chunks), outgoing, found !== undefined && "loseAnswer" in found);
  };
  const front = createServer({ cert: tls.cert, key: tls.key }, (incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const { port } = front.address() as AddressInfo;
  return Object.assign(proxy, { port, server: `https://127.0.0.1:${port}` });
}
