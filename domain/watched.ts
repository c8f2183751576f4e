import type { Policy } from "./policy.ts";

/** Several periods of a client that comes each half minute. */
export const usualWatchMs = 90_000;

/**
 * For how long before the old version is disabled its use is watched without a break, where the issuer can be, and not only
 * looked at now and then: the end of grace and observation, and no longer than they are.
 */
export const watchedBeforeEndMs = ({ graceMs, observeForMs }: Pick<Policy, "graceMs" | "observeForMs">): number =>
  Math.min(graceMs + observeForMs, Math.max(usualWatchMs, observeForMs));
