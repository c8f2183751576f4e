import { sql } from "kysely";
import { recordEvents } from "./audit.ts";
import { transact, type Ledger } from "./database.ts";

export interface Alarm {
  /** The same as long as it is the same trouble. */
  readonly key: string;
  readonly about: string;
  readonly text: string;
}

export interface AlarmChange {
  readonly raised: readonly Alarm[];
  readonly cleared: readonly Alarm[];
}

/** Raises what is wrong now and was not, clears what was and is not, each once, however many processes watch. */
export function changeAlarms(ledger: Ledger, now: readonly Alarm[]): Promise<AlarmChange> {
  return transact(ledger, async (trx) => {
    // Watchers take turns: two that see the same at once raise it once.
    await sql`LOCK TABLE alarms IN SHARE ROW EXCLUSIVE MODE`.execute(trx);
    const { rows: raised } = await sql<Alarm>`
      INSERT INTO alarms (key, about, text)
      SELECT g.key, g.about, g.text FROM jsonb_to_recordset(${JSON.stringify(now)}::jsonb) AS g (key text, about text, text text)
      ON CONFLICT (key) DO NOTHING RETURNING key, about, text`.execute(trx);
    const { rows: cleared } = await sql<Alarm>`
      DELETE FROM alarms WHERE key <> ALL(${now.map(({ key }) => key)}) RETURNING key, about, text`.execute(trx);
    await recordEvents(
      trx,
      [
        ...raised.map((one) => ({ one, action: "alarm.raised" })),
        ...cleared.map((one) => ({ one, action: "alarm.cleared" })),
      ].map(({ one, action }) => ({ actor: "system:watcher", action, details: { ...one } })),
    );
    return { raised, cleared };
  });
}
