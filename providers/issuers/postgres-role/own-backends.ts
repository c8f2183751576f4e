import type { EventEmitter } from "node:events";
import type { ConnectionConfig } from "./config.ts";

const own = new Set<string>();

const keyOf = (connection: ConnectionConfig, pid: number): string => `${connection.host} ${connection.port} ${pid}`;

/**
 * Notes the server process of a login of ours for as long as its socket is open. Our probes log in as the very roles
 * whose sessions are counted; a name would let anybody hide as one, a process number that the server gave us does not.
 */
export function enterOwnBackend(connection: ConnectionConfig, wire: EventEmitter): void {
  wire.once("backendKeyData", ({ processID }: { readonly processID: number }) => {
    const key = keyOf(connection, processID);
    own.add(key);
    wire.once("end", () => own.delete(key));
  });
}

export const isOwnBackend = (connection: ConnectionConfig, pid: number): boolean => own.has(keyOf(connection, pid));
