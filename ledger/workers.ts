import { sql, type Kysely } from "kysely";
import type { Tables } from "./tables.ts";

/** One that was not seen for longer has stopped, or cannot reach the ledger. Milliseconds. */
export const workerSilentMs = 60_000;
/** How long the row of one that has stopped is kept. */
const keptFor = "1 day";

export interface WorkerMark {
  readonly id: string;
  readonly pools: readonly string[];
  readonly release: string;
}

/** A worker lives. */
export async function markWorker(db: Kysely<Tables>, { id, pools, release }: WorkerMark): Promise<void> {
  await sql`
    INSERT INTO workers (id, pools, release) VALUES (${id}, ${[...pools]}, ${release})
    ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()`.execute(db);
  await sql`DELETE FROM workers WHERE seen_at < clock_timestamp() - interval '${sql.raw(keptFor)}'`.execute(db);
}

/** A worker has stopped in order. */
export async function unmarkWorker(db: Kysely<Tables>, id: string): Promise<void> {
  await sql`DELETE FROM workers WHERE id = ${id}`.execute(db);
}
