import { describe, expect, it } from "vitest";
import type { RequestBudgets } from "../ledger/request-budgets.ts";
import type { Egress } from "../providers/contract/egress.ts";
import { createCallCounts } from "./count-calls.ts";
import { onBudget } from "./on-budget.ts";

/** A way over a connection whose budget answers so, and what was asked of it and of the network, in order. */
function way(
  waits: readonly number[],
  { urgent = false, limit = 5 }: { readonly urgent?: boolean; readonly limit?: number | null } = {},
) {
  const told: string[] = [];
  const left = [...waits];
  const budgets: RequestBudgets = {
    spend: async ({ id }, isUrgent) => {
      told.push(`spend ${id}${isUrgent ? " urgent" : ""}`);
      return left.shift() ?? 0;
    },
  };
  const fetch: Egress = Object.assign(
    async ({ url }: Parameters<Egress>[0]) => {
      told.push(`fetch ${url}`);
      return { outcome: "reached" as const };
    },
    { resolve: async () => [] },
  );
  const stop = new AbortController();
  const context = { signal: stop.signal, fetch, log: () => undefined };
  const calls = createCallCounts();
  const connection = { id: "co", kind: "vault", requestsPerSecond: limit };
  return { told, stop, calls, context, on: onBudget({ budgets, calls }, context, connection, urgent) };
}
const url = "https://vault";

describe("requests over a connection with a limit", () => {
  it("each spend one of its budget before they go, those of another protocol too", async () => {
    const { on, told, calls } = way([]);
    await on.fetch({ url }, on.signal);
    await on.spend?.();
    expect(told).toEqual(["spend co", "fetch https://vault", "spend co"]);
    expect(calls.take()).toEqual([]);
  });

  it("wait until the budget lets them go, and are counted as having waited once", async () => {
    const { on, told, calls } = way([1, 1, 0]);
    await on.fetch({ url }, on.signal);
    expect(told).toEqual(["spend co", "spend co", "spend co", "fetch https://vault"]);
    expect(calls.take()).toEqual([{ kind: "vault", verb: "request", outcome: "waited", calls: 1 }]);
  });

  it("say that they hurry when they do", async () => {
    const { on, told } = way([], { urgent: true });
    await on.fetch({ url }, on.signal);
    expect(told[0]).toBe("spend co urgent");
  });

  it("are never sent once their time is over", async () => {
    const { on, told, stop } = way([3_600_000]);
    const asked = on.fetch({ url }, on.signal);
    stop.abort();
    await expect(asked).rejects.toThrow();
    await expect(on.spend?.()).rejects.toThrow();
    expect(told).toEqual(["spend co"]);
  });
});

it("without a limit the way is as it was", () => {
  const { on, context } = way([], { limit: null });
  expect(on).toBe(context);
});
