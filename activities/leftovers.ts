import type { ListedVersion } from "../providers/contract/issuer.ts";

/** What lives at the issuer, is marked as this credential's, and is in nobody's books. `known`: handles that are. */
export const leftoversAmong = (listed: readonly ListedVersion[], known: readonly string[]): readonly ListedVersion[] =>
  listed.filter(({ handle, state, ours }) => ours && state !== "ended" && !known.includes(handle));
