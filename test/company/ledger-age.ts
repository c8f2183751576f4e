import pg from "pg";
import { spreadOf } from "../../domain/routine.ts";
import { openHome } from "../../embedded/home.ts";
import { startPostgres } from "../../embedded/postgres.ts";

/** The ledger of a `rekey up` that runs, for what nobody can wait for. */
export interface LedgerAge {
  /** As if each version had been made a while ago: somewhere between just now and a little longer than it may get. */
  ageAll(): Promise<void>;
  /** As if these had become due that many days ago, and allowed to begin ever since. */
  overdue(credentials: readonly string[], days: number): Promise<void>;
  rows(text: string): Promise<readonly Record<string, unknown>[]>;
  close(): Promise<void>;
}

export async function openLedgerAge(home: string): Promise<LedgerAge> {
  const { postgres } = await openHome(home);
  // The server that runs there already answers: it is found, not started, and not ours to stop.
  const { url } = await startPostgres({ folder: postgres, port: "socket-only", database: "rekey" });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const rows = async (text: string, values: unknown[] = []) =>
    (await client.query<Record<string, unknown>>(text, values)).rows;
  return {
    rows: (text) => rows(text),
    async ageAll() {
      const found = await rows(`SELECT c.id, t.name || '/' || c.name AS ref FROM credentials c
        JOIN teams t ON t.id = c.team_id WHERE c.due_at IS NOT NULL`);
      const parts = found.map(({ id, ref }) => ({ id, part: spreadOf(String(ref)) * 1.1 }));
      await rows(
        `UPDATE versions v SET created_at = v.created_at - (c.due_at - clock_timestamp()) * g.part
        FROM credentials c, jsonb_to_recordset($1::jsonb) AS g (id text, part float8)
        WHERE c.id = g.id AND v.credential_id = c.id AND v.number = c.current_version`,
        [JSON.stringify(parts)],
      );
      await rows("UPDATE credentials SET is_reckoned = false");
    },
    async overdue(credentials, days) {
      await rows(
        `UPDATE credentials c SET due_at = clock_timestamp() - $2 * interval '1 day',
          begins_at = clock_timestamp() - $2 * interval '1 day', due_because = 'schedule', is_reckoned = true
        FROM teams t WHERE t.id = c.team_id AND t.name || '/' || c.name = ANY($1)`,
        [credentials, days],
      );
    },
    close: () => client.end(),
  };
}
