import {
  createServer,
  request as sendPlain,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer, request as sendOverTls } from "node:https";
import type { AddressInfo } from "node:net";
import { bookOf, type Command, type Orders } from "./commands.ts";

/** One call as it came. It may hold secrets: a test compares them and prints none. */
export interface HttpCall {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** The proxy answers in the server's place, which hears nothing. A body that is no text is sent as JSON. */
export interface AnswerInstead {
  readonly do: "answer";
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export type HttpCommand = Command<HttpCall> | AnswerInstead;

/** What has become of a call. */
export interface LoggedCall extends HttpCall {
  /** The command that met it. */
  readonly met?: HttpCommand["do"];
  /** How often the server has answered it, whatever the caller heard. */
  applied: number;
  /** The server's last answer. */
  status?: number;
}

export interface HttpProxy extends Orders<HttpCall, HttpCommand> {
  readonly url: string;
  readonly port: number;
  /** All calls, oldest first. */
  readonly calls: readonly LoggedCall[];
  /** Those that reached the server and may have changed something there. */
  effects(): readonly LoggedCall[];
  close(): void;
}

export interface HttpProxyOptions {
  /** PEM of who signed the server's certificate, where it speaks TLS. */
  readonly ca?: string;
  /** Certificate and key that the proxy shows, PEM; without them it is spoken to in clear. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Which calls change something. By default all but GET, HEAD, LIST and OPTIONS. */
  readonly hasEffect?: (call: HttpCall) => boolean;
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

interface Incoming extends HttpCall {
  readonly bytes: Buffer;
}

const reads = new Set(["GET", "HEAD", "LIST", "OPTIONS"]);

async function allOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function reply(outgoing: ServerResponse, { status, headers = {}, body = {} }: AnswerInstead): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  outgoing.writeHead(status, { "content-type": "application/json", ...headers }).end(text);
}

/** A caller that is cut off has heard neither the end nor an error of the server. */
function cutAnswer(outgoing: ServerResponse, { status, headers, body }: Answer, after: number): void {
  const { "transfer-encoding": _chunked, ...rest } = headers;
  outgoing.writeHead(status, { ...rest, "content-length": String(body.length + 1) });
  outgoing.flushHeaders();
  outgoing.write(body.subarray(0, after), () => outgoing.destroy());
}

/**
 * Stands in front of an HTTP server on loopback and does to its calls what it is ordered to. Headers pass as they are,
 * `Host` too, so that signatures stay right.
 */
export async function proxyHttp(to: string, options: HttpProxyOptions = {}): Promise<HttpProxy> {
  const { ca, tls, hasEffect = ({ method }: HttpCall) => !reads.has(method) } = options;
  const book = bookOf<HttpCall, HttpCommand>();
  const calls: LoggedCall[] = [];

  function open({ method, path, headers }: HttpCall) {
    const url = new URL(path, to);
    const how: RequestOptions = { method, headers, agent: false };
    return url.protocol === "https:"
      ? sendOverTls(url, { ...how, ...(ca === undefined ? {} : { ca }) })
      : sendPlain(url, how);
  }

  async function send(call: Incoming, logged: LoggedCall): Promise<Answer> {
    const sent = open(call);
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    sent.on("response", resolve).on("error", reject);
    sent.end(call.bytes);
    const message = await promise;
    const answer = { status: message.statusCode ?? 502, headers: message.headers, body: await allOf(message) };
    logged.applied += 1;
    logged.status = answer.status;
    book.passed(logged);
    return answer;
  }

  /** Returns when the bytes are on their way and the line is cut behind them. */
  async function sendCut(call: Incoming, after: number): Promise<void> {
    const sent = open(call);
    sent.on("error", () => undefined);
    const { promise, resolve } = Promise.withResolvers<void>();
    sent.flushHeaders();
    sent.write(call.bytes.subarray(0, after), () => resolve());
    await promise;
    sent.destroy();
  }

  async function serve(message: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const bytes = await allOf(message);
    const { method = "GET", url: path = "/", headers } = message;
    const call: Incoming = { method, path, headers, body: bytes.toString("utf8"), bytes };
    const command = book.find(call);
    const logged: LoggedCall = {
      ...{ method, path, headers, body: call.body, applied: 0 },
      ...(command === undefined ? {} : { met: command.do }),
    };
    calls.push(logged);
    if (command?.do === "answer") return reply(outgoing, command);
    if (command?.do === "cut-request") {
      await sendCut(call, command.after);
      outgoing.destroy();
      return;
    }
    if (command?.do === "delay") await command.until;
    if (command?.do === "hold-behind") await book.untilPassed(command.match);
    if (command?.do === "send-twice") await send(call, logged);
    const answer = await send(call, logged);
    if (command?.do === "lose-answer") outgoing.destroy();
    else if (command?.do === "cut-answer") cutAnswer(outgoing, answer, command.after);
    else {
      if (command?.do === "delay-answer") await command.until;
      outgoing.writeHead(answer.status, answer.headers).end(answer.body);
    }
  }

  const handle = (message: IncomingMessage, outgoing: ServerResponse): void => {
    serve(message, outgoing).catch(() => outgoing.destroy());
  };
  const front = tls === undefined ? createServer(handle) : createTlsServer(tls, handle);
  await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
  const { port } = front.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    port,
    calls,
    meet: book.meet,
    each: book.each,
    effects: () => calls.filter((call) => hasEffect(call) && (call.applied > 0 || call.met === "cut-request")),
    close() {
      front.closeAllConnections();
      front.close();
    },
  };
}
