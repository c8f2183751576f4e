import pg from "pg";
import type { Login } from "./orders-cluster.ts";

/** Counts since the start; none of them holds anything secret. */
export interface PoolCounts {
  failedStatements: number;
  /** Logins that the server turned down (SQLSTATE class 28). */
  refusedLogins: number;
  /** Idle sessions that the server ended under us. */
  lostSessions: number;
}

export interface SwappingPool {
  readonly counts: Readonly<PoolCounts>;
  /** The login name of new work; undefined before the first `use`. */
  user(): string | undefined;
  /** Opens a pool for this login, sees it accepted, sends all new work there, and closes the former one once it is idle. */
  use(login: Login): Promise<void>;
  /** Lends a session. Whatever it throws is counted and thrown on. */
  run<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

interface Generation {
  readonly user: string;
  readonly pool: pg.Pool;
  working: number;
  onIdle: (() => void) | undefined;
}

export function openSwappingPool(applicationName: string, sessions: number): SwappingPool {
  const counts: PoolCounts = { failedStatements: 0, refusedLogins: 0, lostSessions: 0 };
  const draining = new Set<Promise<void>>();
  let current: Generation | undefined;

  const countFailure = (error: unknown): void => {
    counts.failedStatements++;
    if (isLoginRefusal(error)) counts.refusedLogins++;
  };

  /** pg's own `end` never serves what still waits for a session, so it is called only when nobody works or waits. */
  const drain = async (old: Generation): Promise<void> => {
    if (old.working > 0) await new Promise<void>((resolve) => (old.onIdle = resolve));
    await old.pool.end();
  };
  const startDraining = (old: Generation): void => {
    const ending = drain(old).finally(() => draining.delete(ending));
    draining.add(ending);
  };

  return {
    counts,
    user: () => current?.user,
    async use(login) {
      const pool = new pg.Pool({
        ...login,
        application_name: applicationName,
        max: sessions,
        idleTimeoutMillis: 0,
        connectionTimeoutMillis: 10_000,
      });
      pool.on("error", () => counts.lostSessions++);
      // A session that is ended while lent out fails its statement; without a listener it would end the process too.
      pool.on("connect", (client) => client.on("error", () => undefined));
      try {
        (await pool.connect()).release();
      } catch (error) {
        if (isLoginRefusal(error)) counts.refusedLogins++;
        await pool.end();
        throw error;
      }
      const former = current;
      current = { user: login.user, pool, working: 0, onIdle: undefined };
      if (former !== undefined) startDraining(former);
    },
    async run(work) {
      const mine = current;
      if (mine === undefined) throw new Error("The pool has no login yet.");
      mine.working++;
      try {
        return await onSession(mine.pool, work);
      } catch (error) {
        countFailure(error);
        throw error;
      } finally {
        if (--mine.working === 0) mine.onIdle?.();
      }
    },
    async close() {
      const last = current;
      current = undefined;
      if (last !== undefined) startDraining(last);
      await Promise.all(draining);
    },
  };
}

async function onSession<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let isBroken = true;
  try {
    const result = await work(client);
    isBroken = false;
    return result;
  } finally {
    client.release(isBroken);
  }
}

export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined;
}

export function isLoginRefusal(error: unknown): boolean {
  return sqlState(error)?.startsWith("28") === true;
}
