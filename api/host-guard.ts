import type { FastifyRequest } from "fastify";
import { ProblemError } from "./problem.ts";

const loopback = ["127.0.0.1", "localhost", "[::1]"];

/**
 * A page of another site can make a browser send requests here, by a name that it lets resolve to our address. Such a
 * request still carries that name: unless it is loopback's or one of `names`, it is refused before anything else is looked
 * at.
 */
export function refuseForeignHost(names: readonly string[]) {
  const own = new Set([...loopback, ...names]);
  const isOwnOrigin = (origin: string) => URL.canParse(origin) && own.has(new URL(origin).hostname);
  return async ({ headers: { host = "", origin } }: FastifyRequest): Promise<void> => {
    const isOwn = own.has(host.replace(/:\d{1,5}$/, "").toLowerCase());
    if (!isOwn || (origin !== undefined && !isOwnOrigin(origin)))
      throw new ProblemError("host_refused", "Ask it by 127.0.0.1 or localhost, or by a name of its settings.");
    return Promise.resolve();
  };
}
