import { ServerFault, type Entry, type LoginAnswer, type ServerSession } from "../../conformance/reference/server.ts";
import type { Wire } from "../../conformance/reference/wire.ts";

/** The mint server over HTTP. A call that nobody answers to its end is a server that is down. */
export function httpWire(url: string, admin: { readonly name: string; readonly secret: string }, signal: AbortSignal) {
  async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const headers = { authorization: `Bearer ${admin.secret}`, connection: "close" };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    try {
      const answer = await fetch(`${url}${path}`, { method, headers, signal, ...sent });
      const said: unknown = await answer.json();
      if (!answer.ok) throw new ServerFault(said as ServerFault["fault"]);
      return said as T;
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof ServerFault ? error : new ServerFault("down");
    }
  }

  const keyPath = (name: string) => `/keys/${encodeURIComponent(name)}`;
  const look = (name: string) => ask<{ entry: Entry | null; revision: number }>("GET", keyPath(name));
  const now = () => ask<number>("GET", "/now");
  const login = (name: string, secret: string) => ask<LoginAnswer>("POST", "/login", { name, secret });

  const wire: Wire = {
    identity: () => ask("GET", "/identity"),
    mayChange: () => ask("GET", "/rights"),
    now,
    names: () => ask("GET", "/keys"),
    read: async (name) => (await look(name)).entry ?? undefined,
    async change(name, edit) {
      for (;;) {
        const { entry, revision } = await look(name);
        const next = edit(entry ?? undefined);
        if (next === "leave") return now();
        const at = await ask<number | null>("PUT", keyPath(name), { entry: next === "remove" ? null : next, revision });
        if (at !== null) return at;
      }
    },
    mint: (mark) => ask("POST", "/keys", { mark }),
    login,
    adminLogin: () => login(admin.name, admin.secret),
    sessions: () => ask<readonly ServerSession[]>("GET", "/sessions"),
    kill: async (id) => void (await ask("DELETE", `/sessions/${id}`)),
  };
  return wire;
}
