import type { ToldUse } from "../ledger/last-uses.ts";
import type { Catalog } from "../providers/catalog.ts";

export interface ShownUse extends ToldUse {
  readonly version: number;
  readonly grainMs: number;
  readonly lateByMs: number;
}

type Versions = readonly { readonly number: number; readonly lastUse: ToldUse | null }[];

/** What the issuer has told of the use of these versions, and how exactly it tells that. */
export function lastUsesOf({ issuers }: Catalog, kind: string, versions: Versions): readonly ShownUse[] {
  const usage = issuers[kind]?.facts.usage;
  if (usage?.covers !== "last-used") return [];
  const { grainMs, lateByMs } = usage;
  return versions.flatMap(({ number, lastUse }) =>
    lastUse === null ? [] : [{ version: number, ...lastUse, grainMs, lateByMs }],
  );
}

const minutes = (ms: number): string => `${Math.ceil(ms / 60_000)} min`;

/** That a use after everybody has moved may be told too late, where a last use is all that speaks against the end. */
export function lastUseWarning(
  { issuers }: Catalog,
  { kind, policy }: { readonly kind: string; readonly policy: { readonly graceMs: number } },
  consumers: readonly { readonly wanted: string }[],
): readonly string[] {
  const usage = issuers[kind]?.facts.usage;
  if (usage?.covers !== "last-used" || consumers.every(({ wanted }) => wanted === "attested")) return [];
  const neededMs = 2 * usage.grainMs + usage.lateByMs;
  if (policy.graceMs >= neededMs) return [];
  return [
    `The issuer does not show who uses a version, only when it was last used, to ${minutes(usage.grainMs)} and up to ${minutes(usage.lateByMs)} late: with a grace of ${minutes(policy.graceMs)}, below ${minutes(neededMs)}, whoever stays on the old version may be told of only after it has ended. Let every consumer show what it runs on (challenge), or lengthen the grace.`,
  ];
}
