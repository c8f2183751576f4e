/** Where the API listens: a name or address (IPv6 in brackets), and a port. */
export interface ListenPlace {
  readonly host: string;
  readonly port: number;
}

/** `0.0.0.0:7390`, `[::]:7390`, `rekey.internal:7390` */
export const listenPattern = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):\d{1,5}$/;

export function parseListenPlace(text: string): ListenPlace {
  const [, host = "", port = ""] = /^(.*):(\d+)$/.exec(text) ?? [];
  return { host: host.toLowerCase(), port: Number(port) };
}

export const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);

const isEveryAddress = (host: string): boolean => host === "0.0.0.0" || host === "[::]";

/** Names by which it is asked, besides loopback's: those of the settings, and the one that it listens on. */
export function ownNames({ host }: ListenPlace, names: readonly string[]): readonly string[] {
  return isLoopback(host) || isEveryAddress(host) ? names : [...new Set([...names, host])];
}

/** Why it may not listen there; undefined when it may. */
export function refuseListenPlace(
  { host }: ListenPlace,
  { hasTls, names }: { readonly hasTls: boolean; readonly names: readonly string[] },
): string | undefined {
  if (isLoopback(host)) return undefined;
  if (!hasTls)
    return "another address than loopback needs TLS, or tokens would cross the network in clear: give REKEY_TLS_CERT_FILE and REKEY_TLS_KEY_FILE.";
  if (isEveryAddress(host) && names.length === 0)
    return "to listen on every address, name in REKEY_NAMES by which names the API is asked; every other is refused.";
  return undefined;
}
