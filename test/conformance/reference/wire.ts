import { ServerFault, type Entry, type LoginAnswer, type ReferenceServer, type ServerSession } from "./server.ts";

/** What goes wrong on the way to the server; set by the world, used up by the next call with an effect. */
export interface Trouble {
  hold?: { arrived(): void; readonly released: Promise<void> } | undefined;
  loseAnswer?: boolean | undefined;
}

/** Decides, inside the server and in one step with it, what an entry becomes. It throws to leave the entry alone. */
export type Edit = (present: Entry | undefined) => Entry | "leave" | "remove";

/** The server as a provider reaches it. */
export interface Wire {
  identity(): Promise<string>;
  /** Whether the connection has the right to change logins. */
  mayChange(): Promise<boolean>;
  now(): Promise<number>;
  names(): Promise<readonly string[]>;
  read(name: string): Promise<Entry | undefined>;
  /** Returns the server's time of the change. */
  change(name: string, edit: Edit): Promise<number>;
  mint(mark: string): Promise<{ name: string; secret: string; at: number }>;
  login(name: string, secret: string): Promise<LoginAnswer>;
  adminLogin(): Promise<LoginAnswer>;
  sessions(): Promise<readonly ServerSession[]>;
  kill(id: string): Promise<void>;
}

export function wireTo(server: ReferenceServer, adminSecret: string, signal: AbortSignal, trouble: Trouble): Wire {
  async function ask<T>(answer: () => T): Promise<T> {
    // One turn of the loop each, so that two attempts really interleave.
    await new Promise<void>((resolve) => void setImmediate(resolve));
    signal.throwIfAborted();
    if (server.isDown) throw new ServerFault("down");
    if (adminSecret !== server.admin.secret) throw new ServerFault("admin_refused");
    return answer();
  }

  async function effect<T>(answer: () => T): Promise<T> {
    const { hold, loseAnswer } = trouble;
    trouble.hold = undefined;
    trouble.loseAnswer = undefined;
    signal.throwIfAborted();
    if (hold !== undefined) {
      hold.arrived();
      await hold.released;
    }
    const answered = await ask(() => {
      if (server.deniesAdmin) throw new ServerFault("denied");
      return answer();
    });
    if (loseAnswer === true) throw new ServerFault("down");
    return answered;
  }

  return {
    identity: () => ask(() => server.identity),
    mayChange: () => ask(() => !server.deniesAdmin),
    now: () => ask(() => server.now()),
    names: () => ask(() => server.names()),
    read: (name) => ask(() => server.read(name)),
    change: (name, edit) =>
      effect(() => {
        const next = edit(server.read(name));
        return next === "leave" ? server.now() : server.write(name, next === "remove" ? undefined : next);
      }),
    mint: (mark) => effect(() => server.mint(mark)),
    // A login is not a call of the admin's: it passes whatever the admin may do.
    login: async (name, secret) => {
      await new Promise<void>((resolve) => void setImmediate(resolve));
      signal.throwIfAborted();
      return server.login(name, secret);
    },
    adminLogin: async () => Promise.resolve(server.login(server.admin.name, adminSecret)),
    sessions: () => ask(() => server.sessions.map((session) => ({ ...session }))),
    kill: (id) => effect(() => server.kill(id)),
  };
}
