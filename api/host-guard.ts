import type { FastifyRequest } from "fastify";
import { ProblemError } from "./problem.ts";

const hosts = new Set(["127.0.0.1", "localhost", "[::1]"]);

/**
 * A page of another site can make a browser send requests here, by a name that it lets resolve to the loopback address.
 * Such a request still carries that name: it is refused before anything else is looked at.
 */
export async function refuseForeignHost(request: FastifyRequest): Promise<void> {
  const { host = "", origin } = request.headers;
  const isOwn = hosts.has(host.replace(/:\d{1,5}$/, "").toLowerCase());
  if (!isOwn || (origin !== undefined && !isOwnOrigin(origin)))
    throw new ProblemError("host_refused", "Ask it by 127.0.0.1 or localhost.");
  return Promise.resolve();
}

function isOwnOrigin(origin: string): boolean {
  return URL.canParse(origin) && hosts.has(new URL(origin).hostname);
}
