import type { ProviderContext } from "../../contract/context.ts";
import type { EgressRequest } from "../../contract/egress.ts";
import { Secret } from "../../contract/secret.ts";

/** A call that brought no whole answer, so that nobody knows whether it was done. */
export class NotAnswered extends Error {
  readonly how: "refused" | "timed-out" | "cut";
  constructor(how: NotAnswered["how"]) {
    super(`not answered: ${how}`);
    this.how = how;
  }
}

/** What the wire showed of one call, whatever the SDK makes of it. */
export interface Exchange {
  status?: number;
  /** The `Date` of the answer: the service's own clock. */
  date?: string;
}

/** Given with each call beside what the SDK itself knows. */
export interface Via {
  readonly abortSignal: AbortSignal;
  readonly exchange: Exchange;
}

/** A signed call, as the SDK hands it over. */
interface SignedCall {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

interface Response {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array;
}

// The longest value is 64 KiB, of which JSON can make six times as much: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
const largestAnswer = 1_048_576;
const secretNames = new Set(["authorization", "x-amz-security-token"]);
/** The egress says these itself. */
const ownNames = new Set(["host", "content-length", "content-type"]);

function textOf(body: unknown): string {
  if (body === undefined || typeof body === "string") return body ?? "";
  return new TextDecoder("utf-8", { fatal: true }).decode(body as Uint8Array);
}

function asked({ method, protocol, hostname, port, path, headers, body }: SignedCall, ca?: string): EgressRequest {
  const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const secrets = named.filter(([name]) => secretNames.has(name)).map(([name, text]) => [name, new Secret(text)]);
  const plain = named.filter(([name]) => !secretNames.has(name) && !ownNames.has(name));
  return {
    url: `${protocol}//${hostname}${port === undefined ? "" : `:${port}`}${path}`,
    method: method === "GET" ? "GET" : "POST",
    text: textOf(body),
    contentType: new Map(named).get("content-type") ?? "application/octet-stream",
    headers: Object.fromEntries(plain),
    secretHeaders: Object.fromEntries(secrets) as Record<string, Secret<string>>,
    reads: "raw",
    largestAnswer,
    ...(ca === undefined ? {} : { ca }),
  };
}

/** The SDK's way to the network: the context's egress, and nothing beside it. */
export function overEgress(context: Pick<ProviderContext, "fetch" | "signal">, ca?: string) {
  return {
    metadata: { handlerProtocol: "http/1.1" },
    async handle(request: SignedCall, via?: Partial<Via>): Promise<{ response: Response }> {
      const { outcome, status = 0, raw } = await context.fetch(asked(request, ca), context.signal);
      if (outcome !== "reached") throw new NotAnswered(outcome);
      if (via?.exchange !== undefined) {
        via.exchange.status = status;
        const date = raw?.headers["date"];
        if (date !== undefined) via.exchange.date = date;
      }
      if (raw === undefined) throw new NotAnswered("cut");
      const body = new TextEncoder().encode(raw.text);
      return { response: { statusCode: status, headers: { ...raw.headers }, body } };
    },
  };
}
