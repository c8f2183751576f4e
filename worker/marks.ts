import { createTroubleSpell, type SpellListener } from "../domain/trouble-spell.ts";
import type { Ledger } from "../ledger/database.ts";
import { newId } from "../ledger/new-id.ts";
import { createRounds } from "../ledger/rounds.ts";
import { markWorker, unmarkWorker } from "../ledger/workers.ts";
import { version as release } from "../release.ts";

export interface MarksOptions extends SpellListener {
  readonly ledger: Ledger;
  /** Whose connections this worker reaches. */
  readonly pools: readonly string[];
}

const everyMs = 10_000;

/** Says in the ledger that this worker lives, so that somebody notices when none does. */
export function createMarks(options: MarksOptions): { start(): void; stop(): Promise<void> } {
  const { ledger, pools } = options;
  const id = newId("worker");
  const mark = async () => markWorker(ledger.db, { id, pools, release }).then(() => everyMs);
  const rounds = createRounds(mark, { spell: createTroubleSpell(options), afterFailureMs: everyMs });
  return {
    start: () => rounds.start(),
    async stop() {
      await rounds.stop();
      // A ledger that is gone has nobody who asks.
      await unmarkWorker(ledger.db, id).catch(() => undefined);
    },
  };
}
