import type { z } from "zod";
import { codes, type Code } from "../domain/errors.ts";
import type { Route } from "./route.ts";
import { apiPrefix, routes, type Answer, type Request, type RouteName } from "./route-table.ts";
import { problem } from "./shapes.ts";

export type { Answer, Request, RouteName } from "./route-table.ts";
export { longestLeaked, mostLeakedAtOnce, mostLeakedCharacters } from "./leak-routes.ts";
export { grantStates } from "../domain/grant.ts";
export { auditHead } from "../receipt/shape.ts";
export { roleNames } from "../domain/role.ts";
export { version } from "../release.ts";

/** What the API answered instead of what was asked for, or that it did not answer. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly problem: z.output<typeof problem>;
  constructor(given: z.output<typeof problem>) {
    super(`${given.title}: ${given.detail}`);
    this.problem = given;
  }
}

export interface ClientOptions {
  /** `http://127.0.0.1:7390` */
  readonly address: string;
  readonly token?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface Client {
  readonly address: string;
  /** @throws {ApiError} with the problem that the API answered. */
  call<N extends RouteName>(name: N, request: Request<N>): Promise<Answer<N>>;
}

interface Parts {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
}

const answerLimitMs = 30_000;

/** The API as functions with types, derived from the table of routes. */
export function createClient({ address, token, signal }: ClientOptions): Client {
  return {
    address,
    async call(name, request) {
      const route: Route = routes[name];
      const { params, query, body }: Parts = request;
      const limit = AbortSignal.timeout(answerLimitMs);
      const response = await fetch(`${address}${apiPrefix}${pathOf(route.path, params)}${searchOf(query)}`, {
        method: route.method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: "error",
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      }).catch((error: unknown) => {
        if (signal?.aborted === true) throw error;
        throw unreachable(address, error);
      });
      return (await read(response, route, address)) as Answer<typeof name>;
    },
  };
}

function pathOf(path: string, params: Parts["params"] = {}): string {
  return path.replace(/:(\w+)/g, (_, part: string) => encodeURIComponent(String(params[part])));
}

function searchOf(query: Parts["query"] = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  return given.length === 0
    ? ""
    : `?${new URLSearchParams(given.map(([key, value]): [string, string] => [key, String(value)])).toString()}`;
}

async function read(response: Response, route: Route, address: string): Promise<unknown> {
  const content: unknown = await response.json().catch(() => undefined);
  const parsed = (response.ok ? route.response : problem).safeParse(content);
  if (parsed.success && response.ok) return parsed.data;
  if (parsed.success) throw new ApiError(parsed.data as z.output<typeof problem>);
  throw new ApiError(own("internal", `${address} does not answer like this release's API. Check what runs there.`));
}

const own = (
  code: Code,
  detail: string,
  next = "Start it with `rekey up`, or set REKEY_ADDRESS to where it runs.",
) => ({
  type: `urn:rekey:error:${code}`,
  title: codes[code],
  status: 0,
  code,
  detail,
  next,
});

/** What TLS itself found wrong with whoever answered. */
const untrusted = /^(?:CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_)/;

function unreachable(address: string, error: unknown): ApiError {
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  if (untrusted.test(code))
    return new ApiError(
      own(
        "api_unreachable",
        `What answers at ${address} is not trusted (${code}).`,
        "Name the authority that signed its certificate in REKEY_CA_FILE, and ask it by a name of the certificate.",
      ),
    );
  return new ApiError(own("api_unreachable", `Nothing answers at ${address}.`));
}
