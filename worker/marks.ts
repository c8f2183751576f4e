import { createTroubleSpell, type SpellListener } from "../domain/trouble-spell.ts";
import type { CallCounts } from "../activities/count-calls.ts";
import type { Ledger } from "../ledger/database.ts";
import { newId } from "../ledger/new-id.ts";
import { addProviderCalls } from "../ledger/provider-calls.ts";
import { createRounds } from "../ledger/rounds.ts";
import { markWorker, unmarkWorker } from "../ledger/workers.ts";
import { version as release } from "../release.ts";

export interface MarksOptions extends SpellListener {
  readonly ledger: Ledger;
  /** Whose connections this worker reaches. */
  readonly pools: readonly string[];
  /** What it has called meanwhile is added to what all have. */
  readonly calls: CallCounts;
}

const everyMs = 10_000;

/** Says in the ledger that this worker lives, so that somebody notices when none does. */
export function createMarks(options: MarksOptions): { start(): void; stop(): Promise<void> } {
  const { ledger, pools, calls } = options;
  const id = newId("worker");
  const mark = async (): Promise<number> => {
    await markWorker(ledger.db, { id, pools, release });
    const taken = calls.take();
    try {
      await addProviderCalls(ledger.db, taken);
    } catch (error) {
      calls.giveBack(taken);
      throw error;
    }
    return everyMs;
  };
  const rounds = createRounds(mark, { spell: createTroubleSpell(options), afterFailureMs: everyMs });
  return {
    start: () => rounds.start(),
    async stop() {
      await rounds.stop();
      // A ledger that is gone has nobody who asks.
      await addProviderCalls(ledger.db, calls.take()).catch(() => undefined);
      await unmarkWorker(ledger.db, id).catch(() => undefined);
    },
  };
}
