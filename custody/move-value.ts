import { timingSafeEqual } from "node:crypto";
import { OperatorNeededError, TransientError } from "../domain/errors.ts";
import type { CustodyPlaces, CustodyPointer } from "../ledger/custody-places.ts";
import type { Value } from "../providers/contract/value.ts";
import { custodyKey, type Custody, type CustodyRef } from "./custody.ts";
import { encodeValue } from "./value-encoding.ts";

export interface ValueMove {
  readonly ref: CustodyRef;
  /** The place where it is to lie. */
  readonly to: string;
  /** By the ledger there is one: where none is found it is lost, or looked for in the wrong place. */
  readonly hasValue: boolean;
  /** For the audit row. */
  readonly actor: string;
}

/** Watches the log for the value while it is in our hands. */
export type Holding = <T>(value: Value, work: () => Promise<T>) => Promise<T>;

interface Places {
  readonly at: (place: string) => Custody;
  readonly book: CustodyPlaces;
  readonly holding: Holding;
}

/**
 * Moves one value to another place. Whoever dies within is followed by whoever moves it again, there or elsewhere: the
 * ledger knows at each moment where the value may lie, and the one that counts can be read. Once the call has come back it
 * lies in its new place alone. Nothing happens when it does already, or when there is no value and need not be.
 */
export async function moveValue(places: Places, { ref, to, actor, hasValue }: ValueMove): Promise<void> {
  const { at, book } = places;
  const key = custodyKey(ref);
  const leave = async (seen: CustodyPointer) => {
    const { other } = seen;
    if (other !== undefined && !(await book.leave(key, seen, async () => at(other).forget(ref)))) throw overtaken();
  };
  let now = await book.beginMove(key, to);
  if (now.other !== undefined && now.other !== to) {
    // Left by a move that did not come to its end: the value that counts is in `now.place`.
    await leave(now);
    now = await book.beginMove(key, to);
  }
  const from = now.place;
  if (from === to) return;
  const value = await at(from).get(ref);
  if (value === undefined && hasValue) {
    await book.giveUp(key, now);
    throw new OperatorNeededError(
      "custody_missing",
      `The value of version ${ref.version} (${key}) is not in ${from}, where the ledger says that it lies. Nothing was moved. See that the settings of ${from} lead to the store where it was put, or restore the store; then move again.`,
    );
  }
  if (value !== undefined && !(await places.holding(value, async () => isCopied(at(to), ref, value)))) {
    await book.giveUp(key, now);
    throw new OperatorNeededError(
      "move_refused",
      `Another value lies in ${to} already where that of version ${ref.version} is to go (${key}). Look who put it there, remove it there, and move again. The value stays where it is, in ${from}.`,
    );
  }
  const { credential: credentialId, version } = ref;
  const isValue = value !== undefined;
  const switched = await book.finishCopy({ key, from, to, credentialId, version, actor, isValue }, now);
  if (switched === undefined) {
    await book.whileAbsentFrom(key, to, async () => at(to).forget(ref));
    throw overtaken();
  }
  await leave(switched);
}

const overtaken = () =>
  new TransientError("ledger_busy", "Somebody else moves the value at the same moment. Move again.");

async function isCopied(target: Custody, ref: CustodyRef, value: Value): Promise<boolean> {
  const kept = encodeValue(await target.putIfAbsent(ref, value));
  const given = encodeValue(value);
  const isSame = kept.length === given.length && timingSafeEqual(kept, given);
  kept.fill(0);
  given.fill(0);
  return isSame;
}
