import { createServer, type Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { makeCertificates } from "./aws/authority.ts";

export interface TakenNotice {
  readonly id: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

/** What a receiver does with one request. */
export type Behaviour = (response: ServerResponse, request: IncomingMessage) => void;

export const takes: Behaviour = (response) => response.writeHead(204).end();
export const answers =
  (status: number, headers: Readonly<Record<string, string>> = {}): Behaviour =>
  (response) =>
    response.writeHead(status, headers).end();
export const hangs: Behaviour = () => undefined;
/** A status at once, and then a body without an end. */
export const floods: Behaviour = (response) => {
  response.writeHead(200);
  const more = (): void => {
    while (!response.destroyed && response.write("y".repeat(65_536)));
    if (!response.destroyed) response.once("drain", more);
  };
  more();
};

/** A real HTTPS server that somebody told of notices, with all that it was sent. */
export interface NoticeReceiver {
  readonly url: string;
  readonly port: number;
  /** Of the authority that signed its certificate, PEM. */
  readonly ca: string;
  /** Everything that came, in order, whatever was answered. */
  readonly came: TakenNotice[];
  behave: Behaviour;
  /** Resolves once so many have come. */
  until(count: number): Promise<readonly TakenNotice[]>;
  close(): Promise<void>;
}

export async function startNoticeReceiver(): Promise<NoticeReceiver> {
  const { ca, cert, key } = makeCertificates();
  const came: TakenNotice[] = [];
  const waiting = new Set<() => void>();
  const server: Server = createServer({ cert, key }, (request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () => {
      const headers = request.headers as Record<string, string>;
      const body = JSON.parse(text) as Record<string, unknown>;
      came.push({ id: headers["webhook-id"] ?? "", headers, text, body });
      receiver.behave(response, request);
      for (const look of waiting) look();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const receiver: NoticeReceiver = {
    url: `https://127.0.0.1:${port}/rekey`,
    port,
    ca,
    came,
    behave: takes,
    until: async (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (came.length < count) return;
          waiting.delete(look);
          resolve(came);
        };
        waiting.add(look);
        look();
      }),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}
