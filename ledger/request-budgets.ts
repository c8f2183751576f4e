import { CompiledQuery } from "kysely";
import { RateLimiterPostgres, RateLimiterRes } from "rate-limiter-flexible";
import type { Ledger } from "./database.ts";

/** A connection with a limit: no more requests go over it in a second, all workers together. */
export interface Budgeted {
  readonly id: string;
  readonly requestsPerSecond: number;
}

export interface RequestBudgets {
  /**
   * Spends one request, or says after how many milliseconds to ask again; 0: it may go. Routine work leaves a share to what
   * is urgent, and what is urgent may spend all of it.
   */
  spend(connection: Budgeted, isUrgent: boolean): Promise<number>;
}

/** Of each second's requests, kept for emergencies: of two one, of ten two. */
const keptShare = 0.2;
export const keptOf = (requestsPerSecond: number): number => Math.max(1, Math.floor(requestsPerSecond * keptShare));

/**
 * Budgets that all workers share, by the seconds of their clocks. Two counts each: of routine work, which has less, and of
 * everything, so that the limit itself is never passed whoever spends it.
 */
export function createRequestBudgets({ db }: Ledger, secondMs = 1_000): RequestBudgets {
  const storeClient = {
    query: async ({ text, values = [] }: { readonly text: string; readonly values?: readonly unknown[] }) =>
      db.executeQuery(CompiledQuery.raw(text, [...values])),
  };
  const limiters = new Map<string, RateLimiterPostgres>();
  const limiterOf = (who: "all" | "routine", points: number): RateLimiterPostgres => {
    const key = `${who}/${points}`;
    const found = limiters.get(key);
    if (found !== undefined) return found;
    const made = new RateLimiterPostgres({
      ...{ storeClient, storeType: "client", tableName: "request_budgets", tableCreated: true },
      ...{
        clearExpiredByTimeout: false,
        keyPrefix: who,
        points,
        duration: secondMs / 1_000,
        inMemoryBlockOnConsumed: points,
      },
    });
    limiters.set(key, made);
    return made;
  };
  /** Milliseconds until it is worth asking again; 0: it may go. */
  const waitOf = async (limiter: RateLimiterPostgres, id: string): Promise<number> => {
    try {
      await limiter.consume(id);
      return 0;
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      if (error.msBeforeNext <= secondMs) return Math.max(error.msBeforeNext, 1);
      // It was spent before this worker's clock was set back, or by one whose clock is ahead.
      await limiter.delete(id);
      return 1;
    }
  };
  return {
    async spend({ id, requestsPerSecond }, isUrgent) {
      const routine = requestsPerSecond - keptOf(requestsPerSecond);
      const waitMs = isUrgent ? 0 : await waitOf(limiterOf("routine", routine), id);
      return waitMs > 0 ? waitMs : waitOf(limiterOf("all", requestsPerSecond), id);
    },
  };
}
