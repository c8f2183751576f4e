import { createTroubleSpell } from "../domain/trouble-spell.ts";
import { changeAlarms } from "../ledger/alarms.ts";
import { createRounds, type Rounds } from "../ledger/rounds.ts";
import type { ApiDeps } from "./deps.ts";
import { settleProposals } from "./settle-proposals.ts";
import { lookAtStatus } from "./status.ts";

/** Between two looks. */
const watchEveryMs = 15_000;

/**
 * Notices when routine work does not happen, from outside of the workers that do it: what `rekey status` calls bad is
 * raised as an alarm once, and cleared once it is over. Both are events of the audit trail, and in the log.
 */
export function createWatcher(
  deps: ApiDeps,
  everyMs = watchEveryMs,
): Rounds & { readonly runOnce: () => Promise<void> } {
  const { ledger, log } = deps;

  async function runOnce(): Promise<void> {
    await settleProposals(deps);
    const { looks } = await lookAtStatus(deps);
    const bad = looks.filter(({ state }) => state === "bad");
    const { raised, cleared } = await changeAlarms(
      ledger,
      bad.map(({ key, about, text }) => ({ key, about, text })),
    );
    for (const { key } of raised) log.error("alarm.raised", { key });
    for (const { key } of cleared) log("alarm.cleared", { key });
  }

  const rounds = createRounds(async () => runOnce().then(() => everyMs), {
    spell: createTroubleSpell({
      onTrouble: (error) =>
        log.error("watcher.troubled", { error: error instanceof Error ? error.name : typeof error }),
      onRecovered: (failures) => log("watcher.recovered", { failures }),
    }),
    afterFailureMs: everyMs,
  });
  return { runOnce, ...rounds };
}
