import { isDeepStrictEqual } from "node:util";
import { OperatorNeededError } from "../../domain/errors.ts";
import { custodyKey, type Custody, type CustodyRef } from "../../custody/custody.ts";
import { decodeValue, encodeValue } from "../../custody/value-encoding.ts";
import type { Value } from "../../providers/contract/value.ts";

/** A store that keeps bytes by their keys, as one far away does, and every ref beside its bytes. */
export interface MemoryStore {
  readonly held: Map<string, { readonly ref: CustodyRef; readonly bytes: Buffer }>;
  /** Called before and after each effect or look, with what is done; may throw as a process that dies there does. */
  at(moment: string): void;
}

export function memoryStore(at: MemoryStore["at"] = () => undefined): MemoryStore {
  return { held: new Map(), at };
}

/** A strict custody over a store in memory. Many of one store stand for many processes. */
export function memoryCustody(store: MemoryStore): Custody {
  async function doing<T>(what: string, work: () => T): Promise<T> {
    store.at(`before ${what}`);
    await Promise.resolve();
    const answer = work();
    store.at(`after ${what}`);
    return answer;
  }

  function open(ref: CustodyRef): Value | undefined {
    const found = store.held.get(custodyKey(ref));
    if (found === undefined) return undefined;
    if (!isDeepStrictEqual({ ...found.ref }, { ...ref }))
      throw new OperatorNeededError("custody_unreadable", "The value was put for something else.");
    return decodeValue(found.bytes);
  }

  return {
    get: async (ref) => doing("get", () => open(ref)),
    forget: async (ref) => doing("forget", () => void store.held.delete(custodyKey(ref))),
    putIfAbsent: async (ref, value) =>
      doing("put", () => {
        const key = custodyKey(ref);
        if (!store.held.has(key)) store.held.set(key, { ref, bytes: encodeValue(value) });
        return open(ref) ?? value;
      }),
  };
}
