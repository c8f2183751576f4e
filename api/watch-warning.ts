import { watchedBeforeEndMs, usualWatchMs } from "../domain/watched.ts";
import type { Catalog } from "../providers/catalog.ts";

interface Watched {
  readonly kind: string;
  readonly order: string;
  readonly policy: { readonly graceMs: number; readonly observeForMs: number };
}

/** What a watch that is shorter than usual cannot see of who still uses the old version. */
export function watchWarning({ issuers }: Catalog, { kind, order, policy }: Watched): readonly string[] {
  const usage = issuers[kind]?.facts.usage;
  if (order !== "overlap" || usage === undefined || usage.covers === "last-used" || usage.watchedStayMs === undefined)
    return [];
  const watchedMs = watchedBeforeEndMs(policy);
  if (watchedMs >= usualWatchMs) return [];
  return [
    `Who uses the old version is watched without a break for no more than the last ${Math.floor(watchedMs / 1_000)} s before it is disabled, which is all that grace and observeFor leave: somebody unregistered who connects more seldom than that may go unseen and be cut off. From ${usualWatchMs / 1_000} s of both together on, the last ${usualWatchMs / 1_000} s are watched.`,
  ];
}
