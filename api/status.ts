import { worstFirst } from "../domain/look.ts";
import { readStatusFacts } from "../ledger/status-facts.ts";
import { asJson, type ApiDeps, type Handlers } from "./deps.ts";
import { renderMetrics } from "./metrics.ts";
import { statusLooks } from "./status-looks.ts";

/** All that is wrong with routine work, worst first. */
export async function lookAtStatus({ ledger, custodyTrouble }: ApiDeps) {
  const [facts, trouble] = await Promise.all([readStatusFacts(ledger.db), custodyTrouble()]);
  return { facts, looks: worstFirst(statusLooks(facts, trouble)) };
}

export const statusHandlers: Handlers<"showStatus" | "showMetrics"> = {
  async showMetrics(_, { ledger }) {
    return { text: (await renderMetrics(ledger)).text };
  },

  async showStatus(_, deps) {
    const { facts, looks } = await lookAtStatus(deps);
    const { credentials, scheduled, open, proven, workers, nextAt } = facts;
    const counts = { credentials, scheduled, open, proven, workers };
    return asJson({ now: new Date(), counts, nextAt, looks: looks.map(({ key: _key, ...look }) => look) });
  },
};
