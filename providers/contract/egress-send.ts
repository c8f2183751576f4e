import { request as requestPlain, Agent, type IncomingMessage } from "node:http";
import { request as requestSecure, Agent as SecureAgent } from "node:https";
import { isIP } from "node:net";
import { checkServerIdentity, createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import type { EgressAnswer, EgressRequest } from "./egress.ts";
import type { Secret } from "./secret.ts";

export interface SendOptions {
  /** A judged address; the name in the URL is for TLS and the Host header alone. */
  readonly address: string;
  readonly port: number;
  readonly secureContext: SecureContext;
  readonly signal: AbortSignal;
}

const usualLargestAnswer = 64 * 1_024;

/** Trusts the platform's authorities and those given, as PEM. Costly: make it once. */
export function trusting(ca: readonly string[] = []): SecureContext {
  return createSecureContext({ ca: [...getCACertificates("default"), ...ca], minVersion: "TLSv1.2" });
}

/** Trusts these authorities alone. Throws where the text is no PEM. */
export function trustingOnly(ca: string): SecureContext {
  return createSecureContext({ ca, minVersion: "TLSv1.2" });
}

/** One request on a connection of its own. Rejects when no status was received. */
export async function send(url: URL, request: EgressRequest, options: SendOptions): Promise<EgressAnswer> {
  const response = await responseTo(url, request, options);
  return readAnswer(response, request, options.signal);
}

/** What `headers` may not set: the call itself does, or it would be sent in clear. */
const ownHeaders = new Set([
  "host",
  "connection",
  "content-length",
  "content-type",
  "transfer-encoding",
  "authorization",
  "cookie",
]);

const allowedOf = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !ownHeaders.has(name.toLowerCase())));

const revealedOf = (headers: Readonly<Record<string, Secret<string>>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(headers).map(([name, secret]) => [name, secret.reveal()]));

// Agents are our own: the global ones may follow a proxy that the environment names.
function responseTo(
  url: URL,
  {
    method = "POST",
    json,
    text,
    contentType = "application/json",
    token,
    headers = {},
    secretHeaders = {},
  }: EgressRequest,
  { address, port, secureContext, signal }: SendOptions,
): Promise<IncomingMessage> {
  const name = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const body = text ?? (json === undefined ? undefined : JSON.stringify(json));
  const plain = {
    method,
    host: address,
    port,
    path: `${url.pathname}${url.search}`,
    headers: {
      ...allowedOf(headers),
      ...revealedOf(secretHeaders),
      host: url.host,
      ...(body === undefined ? {} : { "content-type": contentType, "content-length": Buffer.byteLength(body) }),
      ...(token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` }),
    },
    signal,
  };
  const secure = {
    ...plain,
    servername: isIP(name) === 0 ? name : "",
    checkServerIdentity: (_connected: string, certificate: Parameters<typeof checkServerIdentity>[1]) =>
      checkServerIdentity(name, certificate),
    // Said, because the environment can turn the default off.
    rejectUnauthorized: true,
    secureContext,
  };
  return new Promise((resolve, reject) => {
    const outgoing =
      url.protocol === "https:"
        ? requestSecure({ ...secure, agent: new SecureAgent({ keepAlive: false }) }, resolve)
        : requestPlain({ ...plain, agent: new Agent({ keepAlive: false }) }, resolve);
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** Reads no further than the limit. What is too long, cut off or no JSON was reached all the same, without a body. */
async function readAnswer(
  response: IncomingMessage,
  { largestAnswer = usualLargestAnswer, reads = "success" }: EgressRequest,
  signal: AbortSignal,
): Promise<EgressAnswer> {
  const status = response.statusCode ?? 0;
  const seconds = /^\d{1,6}$/.exec(response.headers["retry-after"] ?? "")?.[0];
  const again = seconds === undefined ? {} : { retryAfterMs: Number(seconds) * 1000 };
  const reached: EgressAnswer = { outcome: "reached", status, ...again };
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    if (reads === "success" && (status < 200 || status > 299)) return reached;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > largestAnswer) return reached;
      chunks.push(chunk);
    }
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
    if (reads === "raw") return { ...reached, raw: { text, headers: headersOf(response) } };
    return { ...reached, body: JSON.parse(text) as unknown };
  } catch {
    signal.throwIfAborted();
    return reached;
  } finally {
    response.destroy();
  }
}

const headersOf = ({ headers }: IncomingMessage): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (typeof value === "string" ? [[name, value]] : [])),
  );
