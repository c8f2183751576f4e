import { worstFirst } from "../domain/look.ts";
import { listFreezes } from "../ledger/freezes.ts";
import { readStatusFacts } from "../ledger/status-facts.ts";
import { asJson, type ApiDeps, type Handlers } from "./deps.ts";
import { renderMetrics } from "./metrics.ts";
import { emergenciesFirst, statusLooks } from "./status-looks.ts";

/** All that is wrong with routine work, worst first. */
export async function lookAtStatus({ ledger, custodyTrouble }: ApiDeps) {
  const [facts, trouble] = await Promise.all([readStatusFacts(ledger.db), custodyTrouble()]);
  return { facts, looks: emergenciesFirst(worstFirst(statusLooks(facts, trouble))) };
}

export const statusHandlers: Handlers<"showStatus" | "showMetrics"> = {
  async showMetrics(_, { ledger }) {
    return { text: (await renderMetrics(ledger)).text };
  },

  async showStatus(_, deps) {
    const { facts, looks } = await lookAtStatus(deps);
    const { credentials, scheduled, waiting, open, proven, workers, nextAt } = facts;
    const freezes = await listFreezes(deps.ledger.db, "everything");
    return asJson({
      ...{ now: new Date(), counts: { credentials, scheduled, waiting, open, proven, workers }, nextAt },
      freezes: freezes.filter(({ isActive }) => isActive),
      looks: looks.map(({ key: _key, ...look }) => look),
    });
  },
};
