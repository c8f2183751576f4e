import type { IssuerSession, LastUseFacts, LastUses } from "../../../providers/contract/issuer.ts";
import type { ReferenceServer } from "./server.ts";

const grainMs = 60_000;

export const lastUseFacts: LastUseFacts = { covers: "last-used", grain: "version", grainMs, lateByMs: 0 };

/** A session of an issuer that shows nobody who is on a key, and tells to the minute when it was last used. */
export function withLastUse(right: IssuerSession, server: ReferenceServer): IssuerSession {
  const others = Object.entries(right).filter(([name]) => name !== "usage");
  const lastUses = async (handles: readonly string[]): Promise<LastUses> => {
    const told = handles.map((handle) => {
      const at = server.lastLogins.get(handle);
      const minute = at === undefined ? undefined : new Date(Math.floor(at / grainMs) * grainMs).toISOString();
      return [handle, minute === undefined ? null : { at: minute, by: "a login" }] as const;
    });
    return Promise.resolve({ at: new Date(server.now()).toISOString(), lastUsed: Object.fromEntries(told) });
  };
  return { ...(Object.fromEntries(others) as unknown as IssuerSession), lastUses };
}
