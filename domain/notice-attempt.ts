import { backOffMs } from "./retry.ts";

/** How an attempt to tell an endpoint ended, and what a person does about it. */
export const noticeCodes = {
  taken: "It has taken the notice.",
  "timed-out": "It did not answer in time. See whether it hangs.",
  unreached:
    "It could not be asked. See that it runs, its certificate, and that the worker's settings let its address be reached.",
  redirected: "It answered with a redirect, which is not followed. Register the address that it leads to.",
  refused: "It refused the notice. 401 and 403 mostly mean that it has another secret; 404 that it is elsewhere.",
  failed: "It answered that it is in trouble or busy. Look at its log.",
  unfit: "Its secret cannot be used, or is gone from custody. Apply its manifest with secretFrom again.",
} as const;
export type NoticeCode = keyof typeof noticeCodes;

/** All of them are settings, so that a test sets them and waits for nothing. */
export interface NoticeTimes {
  /** Before the second attempt; doubles with each. */
  readonly retryFirstMs: number;
  readonly retryLongestMs: number;
  /** Since the notice was due: what has not got through by then is given up. */
  readonly giveUpAfterMs: number;
}

export type AfterAttempt =
  | { readonly state: "sent" }
  | { readonly state: "pending"; readonly afterMs: number }
  | { readonly state: "given-up" };

/**
 * What follows an attempt. Whatever is wrong with an endpoint a person may mend within the day, a refusal too, so that
 * all of it is tried again. `ageMs`: since the notice was made; `attempt` counts from 1.
 */
export function afterAttempt(
  { code, retryAfterMs = 0 }: { readonly code: NoticeCode; readonly retryAfterMs?: number | undefined },
  { attempt, ageMs }: { readonly attempt: number; readonly ageMs: number },
  { retryFirstMs, retryLongestMs, giveUpAfterMs }: NoticeTimes,
): AfterAttempt {
  if (code === "taken") return { state: "sent" };
  if (ageMs >= giveUpAfterMs) return { state: "given-up" };
  const usual = backOffMs(attempt, { attempts: attempt, firstMs: retryFirstMs, longestMs: retryLongestMs });
  return { state: "pending", afterMs: Math.min(retryLongestMs, Math.max(usual, retryAfterMs)) };
}
