import { ledBy } from "../domain/errors.ts";
import type { Custody } from "./custody.ts";

/** What fails at a place says at which: its own kind does not know its name, and whoever reads of it may have several. */
export function namedPlace(place: string, custody: Custody): Custody {
  const named = async <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw ledBy(error, `Custody place ${place}: `);
    });
  return {
    putIfAbsent: async (...put) => named(custody.putIfAbsent(...put)),
    get: async (ref) => named(custody.get(ref)),
    forget: async (ref) => named(custody.forget(ref)),
  };
}
