import type { EventEmitter } from "node:events";
import type { ConnectionConfig } from "./config.ts";

// Our probes log in as the very roles whose sessions are counted. A name would let anybody hide as one of them; the
// number of a server process, which the server gave us with the login, does not.

type Address = Pick<ConnectionConfig, "host" | "port">;

/** Server processes that are ours now, and logins of ours that are on their way; of all sessions of this process. */
const backends = new Set<string>();
const arriving = new Map<Promise<unknown>, string>();
const watchers = new Set<Set<string>>();

const addressKey = ({ host, port }: Address): string => `${host} ${port}`;
const keyOf = (address: Address, pid: number): string => `${addressKey(address)} ${pid}`;

/** Notes the server process of a login of ours for as long as its socket is open. */
export function enterOwnBackend(address: Address, wire: EventEmitter): void {
  wire.once("backendKeyData", ({ processID }: { readonly processID: number }) => {
    const key = keyOf(address, processID);
    backends.add(key);
    for (const seen of watchers) seen.add(key);
    wire.once("end", () => backends.delete(key));
  });
}

/** The server may show a login of ours before its answer has reached us. */
export async function whileArriving<T>(address: Address, login: Promise<T>): Promise<T> {
  arriving.set(login, addressKey(address));
  try {
    return await login;
  } finally {
    arriving.delete(login);
  }
}

/** Looks at the server's processes, and tells with what was seen which of them are ours, or were when we looked. */
export async function besideOwn<T>(
  address: Address,
  look: () => Promise<T>,
): Promise<{ readonly seen: T; readonly isOwn: (pid: number) => boolean }> {
  const own = new Set(backends);
  watchers.add(own);
  try {
    const seen = await look();
    await Promise.allSettled([...arriving].flatMap(([login, at]) => (at === addressKey(address) ? [login] : [])));
    return { seen, isOwn: (pid) => own.has(keyOf(address, pid)) };
  } finally {
    watchers.delete(own);
  }
}
