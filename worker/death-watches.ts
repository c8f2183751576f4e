import type { StepDeps } from "../activities/step-deps.ts";
import { watchDead } from "../activities/watch-dead.ts";
import { createTroubleSpell, type SpellListener } from "../domain/trouble-spell.ts";
import { takeDeathWatches } from "../ledger/death-watches.ts";
import { createRounds, type Rounds } from "../ledger/rounds.ts";

export interface DeathWatchesOptions extends SpellListener {
  readonly deps: StepDeps;
  /** Whose connections this worker reaches. */
  readonly pools: readonly string[];
}

const everyMs = 1_000;
/** At once by one worker: emergencies that go on need issuers more. */
const atMost = 4;
const lookMs = 30_000;

/** Looks now and then at versions that had leaked and are dead. Any number of workers may do so at once. */
export function createDeathWatches(options: DeathWatchesOptions): Rounds & { readonly runOnce: () => Promise<number> } {
  const { deps, pools } = options;
  const stopped = new AbortController();

  async function runOnce(): Promise<number> {
    const due = await takeDeathWatches(deps.ledger, { pools, atMost });
    await deps.precedence.letPass();
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(lookMs)]);
    const looks = await Promise.allSettled(due.map(async (watch) => watchDead(deps, watch, signal)));
    for (const look of looks) if (look.status === "rejected" && !stopped.signal.aborted) throw look.reason;
    return due.length;
  }

  const rounds = createRounds(async () => runOnce().then((count) => (count === atMost ? 0 : everyMs)), {
    spell: createTroubleSpell(options),
    afterFailureMs: everyMs * 4,
  });
  return {
    runOnce,
    start: () => rounds.start(),
    async stop() {
      stopped.abort();
      await rounds.stop();
    },
  };
}
