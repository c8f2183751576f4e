import { request as requestPlain, Agent, type IncomingMessage } from "node:http";
import { request as requestSecure, Agent as SecureAgent } from "node:https";
import { isIP } from "node:net";
import { checkServerIdentity, createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import type { EgressAnswer } from "./egress.ts";

export interface PostOptions {
  /** A judged address; the name in the URL is for TLS and the Host header alone. */
  readonly address: string;
  readonly port: number;
  readonly secureContext: SecureContext;
  readonly signal: AbortSignal;
}

const largestAnswer = 64 * 1_024;

/** Trusts the platform's authorities and those given, as PEM. Costly: make it once. */
export function trusting(ca: readonly string[] = []): SecureContext {
  return createSecureContext({ ca: [...getCACertificates("default"), ...ca], minVersion: "TLSv1.2" });
}

/** One POST on a connection of its own. Rejects when no status was received. */
export async function postJson(url: URL, json: unknown, options: PostOptions): Promise<EgressAnswer> {
  const response = await send(url, JSON.stringify(json), options);
  return readAnswer(response, options.signal);
}

// Agents are our own: the global ones may follow a proxy that the environment names.
function send(url: URL, body: string, { address, port, secureContext, signal }: PostOptions): Promise<IncomingMessage> {
  const name = url.hostname.replace(/^\[(.*)\]$/, "$1");
  const plain = {
    method: "POST",
    host: address,
    port,
    path: `${url.pathname}${url.search}`,
    headers: { host: url.host, "content-type": "application/json", "content-length": Buffer.byteLength(body) },
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
    const request =
      url.protocol === "https:"
        ? requestSecure({ ...secure, agent: new SecureAgent({ keepAlive: false }) }, resolve)
        : requestPlain({ ...plain, agent: new Agent({ keepAlive: false }) }, resolve);
    request.on("error", reject);
    request.end(body);
  });
}

/** Reads no further than the limit. What is too long, cut off or no JSON was reached all the same, without a body. */
async function readAnswer(response: IncomingMessage, signal: AbortSignal): Promise<EgressAnswer> {
  const status = response.statusCode ?? 0;
  const reached: EgressAnswer = { outcome: "reached", status };
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    if (status !== 200) return reached;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > largestAnswer) return reached;
      chunks.push(chunk);
    }
    const text = new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
    return { ...reached, body: JSON.parse(text) as unknown };
  } catch {
    signal.throwIfAborted();
    return reached;
  } finally {
    response.destroy();
  }
}
