import type { Usage } from "../../contract/issuer.ts";
import { microsecondsOf } from "./instant.ts";

export interface Window {
  /** The latest samples that reach over the time asked, oldest first; all usable ones when they do not. */
  readonly samples: readonly Usage[];
  readonly reaches: boolean;
  /** From the first to the last of them, by the issuer's clock. Milliseconds. */
  readonly spanMs: number;
}

/**
 * The end of the samples, no longer than needed: a consumer that moved late is judged by what it did since. A sample
 * whose clock runs back, or cannot be read, starts the window anew, because the span before it means nothing.
 */
export function latestWindow(samples: readonly Usage[], observeForMs: number): Window {
  const times = samples.map((sample) => microsecondsOf(sample.at));
  const end = times.at(-1);
  if (end === undefined) return { samples: [], reaches: false, spanMs: 0 };
  let first = times.length - 1;
  // One sample is never a window, not even one over no time at all.
  while (first > 0 && (first === times.length - 1 || end - (times[first] ?? end) < observeForMs * 1_000)) {
    const before = times[first - 1];
    if (before === undefined || before > (times[first] ?? end)) break;
    first -= 1;
  }
  const spanMs = (end - (times[first] ?? end)) / 1_000;
  return { samples: samples.slice(first), reaches: first < times.length - 1 && spanMs >= observeForMs, spanMs };
}
