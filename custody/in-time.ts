import { TransientError } from "../domain/errors.ts";

const longestCallMs = 9_000;

/** With an end: a caller may hold a transaction of the ledger open meanwhile. */
export async function inTime<T>(store: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const signal = AbortSignal.timeout(longestCallMs);
  try {
    return await work(signal);
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new TransientError("custody_unreachable", `${store} did not answer in time. It will be tried again.`);
  }
}
