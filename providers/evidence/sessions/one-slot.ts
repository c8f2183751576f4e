import type { EvidenceVersion } from "../../contract/evidence.ts";
import type { SeenSession } from "../../contract/issuer.ts";
import { microsecondsOf } from "./instant.ts";

type Timed = Pick<EvidenceVersion, "version" | "effectiveAt">;

/**
 * Whether a session of a login that both versions share may be on the one that must go. Only time tells: it began before
 * the expected version came into force. In an undo the expected one was in force before the candidate already, so that
 * sessions from before the cut are no candidate's. What cannot be read excuses nothing.
 */
export function mayBeOnUnwanted({ startedAt }: SeenSession, expected: Timed, unwanted?: Timed): boolean {
  const began = microsecondsOf(startedAt);
  if (began === undefined) return true;
  const since = microsecondsOf(expected.effectiveAt) ?? Infinity;
  if (unwanted === undefined || unwanted.version < expected.version) return began < since;
  const cut = microsecondsOf(unwanted.effectiveAt) ?? -Infinity;
  // A time from before the cut is not that of a return, and when that was nobody knows.
  return began >= cut && (since <= cut || began < since);
}

/** The two times of a slot, by the issuer's clock; undefined where nothing is known, or nothing happened. */
interface SlotTimes {
  /** When the candidate came into force. */
  readonly candidate: string | undefined;
  /** When the former version came into force, or came back into it. */
  readonly former: string | undefined;
}

/** Where no time is known for the former version a person has set it, some time before we came. */
const longAgo = new Date(0).toISOString();

/**
 * What the times are after the former value was put back, from what the ledger held before and what the issuer answered.
 * `candidate` stays undefined only when the issuer showed that the candidate was never in the slot: the former version is
 * in force no later than the ledger knew. Else, with its time unknown, it gets the earliest that is possible.
 */
export function timesAfterReturn(before: SlotTimes, answered: string | undefined): SlotTimes {
  const former = answered ?? before.former;
  if (before.candidate !== undefined) return { candidate: before.candidate, former };
  const first = before.former ?? longAgo;
  const wasReplaced = !((microsecondsOf(answered ?? "") ?? Infinity) <= (microsecondsOf(first) ?? -Infinity));
  return wasReplaced ? { candidate: first, former } : before;
}
