import type pg from "pg";
import { revealField, type Value } from "../../../providers/contract/value.ts";
import type { IssuerServer } from "../../harness/postgres-issuer.ts";
import type { OpenedSession } from "../issuer-world.ts";

interface Opened extends OpenedSession {
  readonly pid: number;
}

export interface SeenSessions {
  open(value: Value, applicationName: string): Promise<Opened>;
  /** A session whose server process does not run, so that no order reaches it, until it was counted once. */
  openFrozen(value: Value): Promise<void>;
  countOf(value: Value): Promise<number>;
  close(): Promise<void>;
}

/** Sessions of an application, and what the server itself says of them. */
export function seenSessions(server: IssuerServer): SeenSessions {
  const clients: pg.Client[] = [];
  const frozen = new Set<number>();

  async function count(where: string): Promise<number> {
    const [row] = await server.ask(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE ${where}`);
    return Number(row?.["n"]);
  }
  function thaw(): void {
    for (const pid of frozen) process.kill(pid, "SIGCONT");
    frozen.clear();
  }
  async function open(value: Value, name: string): Promise<Opened> {
    const client = await server.openSession(revealField(value, "username"), revealField(value, "password"), { name });
    clients.push(client);
    const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
    const pid = rows[0]?.pid ?? 0;
    // Asked as the superuser: a session that works as another role may not see its own start.
    const [row] = await server.ask(`SELECT backend_start::text AS began FROM pg_stat_activity WHERE pid = ${pid}`);
    const began = String(row?.["began"]);
    return { pid, isOpen: async () => (await count(`pid = ${pid} AND backend_start = '${began}'`)) > 0 };
  }

  return {
    open,
    async openFrozen(value) {
      const { pid } = await open(value, "shop");
      frozen.add(pid);
      process.kill(pid, "SIGSTOP");
    },
    async countOf(value) {
      const seen = await count(`usename = '${revealField(value, "username")}'`);
      thaw();
      return seen;
    },
    async close() {
      thaw();
      for (const client of clients) await client.end().catch(() => undefined);
    },
  };
}
