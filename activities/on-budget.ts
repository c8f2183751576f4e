import { setTimeout as pause } from "node:timers/promises";
import type { ConnectionCase } from "../ledger/rotation-cases.ts";
import type { Egress } from "../providers/contract/egress.ts";
import type { ProviderContext } from "../providers/contract/context.ts";
import type { StepDeps } from "./step-deps.ts";

/** So that not all who wait ask in the same moment. Milliseconds. */
const spreadMs = 50;

/**
 * What a provider gets of the world, when what it asks goes over a connection with a limit of requests: each waits for its
 * turn within the budget, and what is urgent before what is routine.
 */
export function onBudget(
  { budgets, calls }: Pick<StepDeps, "budgets" | "calls">,
  context: ProviderContext,
  { id, kind, requestsPerSecond }: Pick<ConnectionCase, "id" | "kind" | "requestsPerSecond">,
  isUrgent: boolean,
): ProviderContext {
  if (requestsPerSecond === null) return context;
  const spend = async (signal = context.signal): Promise<void> => {
    for (let isFirst = true; ; isFirst = false) {
      signal.throwIfAborted();
      const waitMs = await budgets.spend({ id, requestsPerSecond }, isUrgent);
      if (waitMs === 0) return;
      if (isFirst) calls.note(kind, "request", "waited");
      await pause(waitMs + Math.random() * spreadMs, undefined, { signal });
    }
  };
  const fetch: Egress = Object.assign(
    async (...[request, signal]: Parameters<Egress>) => {
      await spend(signal);
      return context.fetch(request, signal);
    },
    { resolve: async (hostname: string) => context.fetch.resolve(hostname) },
  );
  return { ...context, fetch, spend: async () => spend() };
}
