import type { FakeKey, Identities } from "./identities.ts";
import type { Staleness } from "./staleness.ts";

/** How things stood from this time on, until the next moment. Ids of keys throughout. */
export interface KeyMoment {
  readonly atMs: number;
  /** Inactive ones too. */
  readonly existing: readonly string[];
  readonly active: readonly string[];
  /** Accepted whichever endpoint is asked. */
  readonly acceptedEverywhere: readonly string[];
  /** Accepted by one endpoint at least, so also deleted ones for a while. */
  readonly acceptedSomewhere: readonly string[];
}

/** Every moment of a user's keys up to now, oldest first: "never none that works" and "never a third" are asked of this. */
export function keyHistory(identities: Identities, staleness: Staleness, userName: string): readonly KeyMoment[] {
  const keys = identities.everyKeyOf(userName);
  const nowMs = staleness.nowMs();
  const times = keys.flatMap((key) => [...key.login.moments(), ...key.listed.moments()]);
  const moments = [...new Set(times)].filter((atMs) => atMs <= nowMs).toSorted((one, other) => one - other);
  return moments.map((atMs) => {
    const having = (is: (key: FakeKey) => boolean) => keys.filter(is).map((key) => key.id);
    const accepts = (key: FakeKey) => (endpoint: number) => key.login.seenBy(endpoint, atMs) === "Active";
    return {
      atMs,
      existing: having((key) => key.login.truth(atMs) !== undefined),
      active: having((key) => key.login.truth(atMs) === "Active"),
      acceptedEverywhere: having((key) => staleness.endpoints().every(accepts(key))),
      acceptedSomewhere: having((key) => staleness.endpoints().some(accepts(key))),
    };
  });
}
