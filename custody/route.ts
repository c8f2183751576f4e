import { embeddedPlace } from "../domain/custody-place.ts";
import { OperatorNeededError, TransientError } from "../domain/errors.ts";
import type { CustodyPlaces } from "../ledger/custody-places.ts";
import { custodyKey, type Custody, type CustodyRef } from "./custody.ts";
import { moveValue, type Holding, type ValueMove } from "./move-value.ts";

/** Custody over several places. Which one a value lies in, the ledger knows. */
export interface RoutedCustody extends Custody {
  /** Of the places that are open here, the embedded one first. */
  readonly places: readonly string[];
  /**
   * One place by itself.
   * @throws {OperatorNeededError} `custody_place_unknown`
   */
  at(place: string): Custody;
  /** Moves one value to another place; `move-value.ts` says how. */
  move(move: ValueMove, holding: Holding): Promise<void>;
}

export interface RouteOptions {
  readonly embedded: Custody;
  /** The others, by their names. */
  readonly others: ReadonlyMap<string, Custody>;
  readonly book: CustodyPlaces;
}

/** How often a value may be moved while one call looks for it. */
const mostLooks = 3;

/**
 * Only versions lie elsewhere: the secrets of connections and checks are what a store is reached with, and stay in the
 * ledger.
 */
const isEmbedded = ({ purpose }: CustodyRef) => purpose !== "version";

const moving = () =>
  new TransientError("custody_missing", "The value is being moved to another place. Ask again in a moment.");

/** Asks the place where a value lies, and looks again when it was moved meanwhile. */
export function routeCustody({ embedded, others, book }: RouteOptions): RoutedCustody {
  const places = [embeddedPlace, ...others.keys()];

  function at(place: string): Custody {
    const found = place === embeddedPlace ? embedded : others.get(place);
    if (found !== undefined) return found;
    throw new OperatorNeededError(
      "custody_place_unknown",
      `A value lies in the place ${place}, and the settings of this process name only ${places.join(", ")}. Put the entry ${place} back into the file of REKEY_CUSTODIES_FILE, for API and workers alike, and restart them.`,
    );
  }

  return {
    places,
    at,
    move: async (move, holding) => moveValue({ at, book, holding }, move),

    async putIfAbsent(ref, value) {
      if (isEmbedded(ref)) return embedded.putIfAbsent(ref, value);
      const key = custodyKey(ref);
      for (let look = 0; look < mostLooks; look += 1) {
        const place = await book.settle(key, ref.credential);
        const kept = await at(place).putIfAbsent(ref, value);
        if ((await book.find(key)).place === place) return kept;
        // Moved on before we put: what we have put there belongs to nobody, and the value lies elsewhere.
        const isGone = await book.whileAbsentFrom(key, place, async () => at(place).forget(ref));
        if (!isGone) throw moving();
      }
      throw moving();
    },

    async get(ref) {
      if (isEmbedded(ref)) return embedded.get(ref);
      const key = custodyKey(ref);
      let { place } = await book.find(key);
      for (let look = 0; look < mostLooks; look += 1) {
        const found = await at(place).get(ref);
        if (found !== undefined) return found;
        const now = await book.find(key);
        if (now.place === place) return undefined;
        place = now.place;
      }
      throw moving();
    },

    async forget(ref) {
      if (isEmbedded(ref)) return embedded.forget(ref);
      const { place, other } = await book.find(custodyKey(ref));
      await at(place).forget(ref);
      if (other !== undefined) await at(other).forget(ref);
    },
  };
}
