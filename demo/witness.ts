import { setTimeout as sleep } from "node:timers/promises";
import pg from "pg";
import { isLoginRefusal, sqlState } from "./swapping-pool.ts";
import type { Login } from "./orders-cluster.ts";

/** Looks from outside, with a login of its own and none of rekey's code. */
export interface Witness {
  /** Logs in once with exactly this and is gone again; `accepted`, or the refusal's SQLSTATE. */
  tries(login: Login): Promise<string>;
  /** Sessions that are open on a login now, by application name. */
  sessionsOn(user: string): Promise<readonly string[]>;
  /**
   * Waits until the server has forgotten the login's password, then tries it. Not before: a witness that logs in with
   * the old password would itself be a user of it, and hold back what it waits for.
   * @returns when it was refused, by `performance.now()`, and with which SQLSTATE.
   */
  seesRefused(login: Login, signal: AbortSignal): Promise<{ readonly at: number; readonly code: string }>;
  close(): Promise<void>;
}

const lookEveryMs = 20;

export async function openWitness(keeper: Login): Promise<Witness> {
  const client = new pg.Client({ ...keeper, application_name: "witness" });
  client.on("error", () => undefined);
  await client.connect();

  const tries = async (login: Login): Promise<string> => {
    const once = new pg.Client({ ...login, application_name: "witness" });
    once.on("error", () => undefined);
    try {
      await once.connect();
      await once.query("SELECT 1");
      return "accepted";
    } catch (error) {
      if (!isLoginRefusal(error)) throw error;
      return sqlState(error) ?? "refused";
    } finally {
      await once.end();
    }
  };

  return {
    tries,
    async sessionsOn(user) {
      const found = await client.query<{ name: string }>(
        "SELECT application_name AS name FROM pg_stat_activity WHERE usename = $1 ORDER BY backend_start",
        [user],
      );
      return found.rows.map(({ name }) => name);
    },
    async seesRefused(login, signal) {
      for (;;) {
        const found = await client.query<{ ended: boolean }>(
          "SELECT rolpassword IS NULL AND NOT rolcanlogin AS ended FROM pg_authid WHERE rolname = $1",
          [login.user],
        );
        if (found.rows[0]?.ended === true) {
          const code = await tries(login);
          if (code !== "accepted") return { at: performance.now(), code };
        }
        await sleep(lookEveryMs, undefined, { signal });
      }
    },
    close: () => client.end(),
  };
}
