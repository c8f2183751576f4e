import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { SecureContext } from "node:tls";
import type { ProviderLog } from "./context.ts";
import type { Egress, EgressAnswer, EgressRequest } from "./egress.ts";
import { send, trusting, trustingOnly } from "./egress-send.ts";
import { denialOf, type EgressRules } from "./egress-rules.ts";

export interface EgressSettings extends EgressRules {
  /** For one call, from the name to the last byte. */
  readonly timeoutMs?: number;
  /** PEM certificates trusted besides the platform's. */
  readonly ca?: readonly string[];
  /** All addresses of a name. The system's resolver, IPv4 first, unless given. */
  readonly resolve?: (hostname: string) => Promise<readonly string[]>;
  /** Hears why a call was refused, as a word; callers do not. */
  readonly log?: ProviderLog;
}

const defaultTimeoutMs = 10_000;

/**
 * The one way out to an address that people gave. It connects to the very address it has judged, so that no second
 * look-up comes between. Make one per process.
 */
export function createEgress(settings: EgressSettings): Egress {
  const usual = trusting(settings.ca);
  const given = new Map<string, SecureContext>();
  const contextFor = (ca: string | undefined): SecureContext => {
    if (ca === undefined) return usual;
    const context = given.get(ca) ?? trustingOnly(ca);
    given.set(ca, context);
    return context;
  };
  const deadline = () => AbortSignal.timeout(settings.timeoutMs ?? defaultTimeoutMs);

  const call = async (request: EgressRequest, signal: AbortSignal): Promise<EgressAnswer> => {
    const timeUp = deadline();
    try {
      return await judgeAndSend(settings, contextFor, request, AbortSignal.any([signal, timeUp]));
    } catch (error) {
      signal.throwIfAborted();
      if (timeUp.aborted) return { outcome: "timed-out" };
      throw error;
    }
  };
  return Object.assign(call, { resolve: (hostname: string) => addressesOf(settings, hostname, deadline()) });
}

/** Throws only when the signal is aborted. */
async function judgeAndSend(
  settings: EgressSettings,
  contextFor: (ca: string | undefined) => SecureContext,
  request: EgressRequest,
  signal: AbortSignal,
): Promise<EgressAnswer> {
  const refused = (reason: string): EgressAnswer => {
    settings.log?.("egress.refused", { reason });
    return { outcome: "refused" };
  };
  const url = URL.parse(request.url);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return refused("not-http");
  if (url.username !== "" || url.password !== "") return refused("credentials-in-url");

  const isSecure = url.protocol === "https:";
  const isSecret = request.token !== undefined || Object.keys(request.secretHeaders ?? {}).length > 0;
  if (isSecret && !isSecure) return refused("token-in-clear");
  const port = url.port === "" ? (isSecure ? 443 : 80) : Number(url.port);
  const address = request.address ?? (await addressesOf(settings, url.hostname, signal))[0];
  signal.throwIfAborted();
  if (address === undefined) return refused("unresolved");
  const denial = denialOf(settings, { address, port, isSecure });
  if (denial !== undefined) return refused(denial);
  try {
    return await send(url, request, { address, port, secureContext: contextFor(request.ca), signal });
  } catch (error) {
    signal.throwIfAborted();
    // Node's own code, such as ECONNREFUSED or ERR_TLS_CERT_ALTNAME_INVALID; the message would carry the address.
    return refused(error instanceof Error && "code" in error ? String(error.code) : "failed");
  }
}

async function addressesOf(
  settings: EgressSettings,
  hostname: string,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const bare = hostname.replace(/^\[(.*)\]$/, "$1");
  if (isIP(bare) !== 0) return [bare];
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => {
    reject(new Error("aborted"));
  };
  signal.addEventListener("abort", onAbort, { once: true });
  if (signal.aborted) onAbort();
  try {
    return [...new Set(await Promise.race([(settings.resolve ?? resolveBySystem)(bare), aborted]))];
  } catch {
    return [];
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

async function resolveBySystem(hostname: string): Promise<readonly string[]> {
  const found = await lookup(hostname, { all: true, order: "ipv4first" });
  return found.map(({ address }) => address);
}
