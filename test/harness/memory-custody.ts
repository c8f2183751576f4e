import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { embeddedPlace } from "../../domain/custody-place.ts";
import { OperatorNeededError } from "../../domain/errors.ts";
import { custodyKey, type Custody, type CustodyRef } from "../../custody/custody.ts";
import type { CustodyKind } from "../../custody/kinds.ts";
import { openCustody } from "../../custody/open-custody.ts";
import type { KeyRing } from "../../custody/key-file.ts";
import type { RoutedCustody } from "../../custody/route.ts";
import { decodeValue, encodeValue } from "../../custody/value-encoding.ts";
import type { Ledger } from "../../ledger/database.ts";
import type { Value } from "../../providers/contract/value.ts";

/** A store that keeps bytes by their keys, as one far away does, and every ref beside its bytes. */
export interface MemoryStore {
  readonly held: Map<string, { readonly ref: CustodyRef; readonly bytes: Buffer }>;
  /** Called before and after each effect or look, with what is done; may throw as a process that dies there does. */
  at(moment: string): void | Promise<void>;
}

export function memoryStore(at: MemoryStore["at"] = () => undefined): MemoryStore {
  return { held: new Map(), at };
}

/** A strict custody over a store in memory. Many of one store stand for many processes. */
export function memoryCustody(store: MemoryStore): Custody {
  async function doing<T>(what: string, work: () => T): Promise<T> {
    await store.at(`before ${what}`);
    const answer = work();
    await store.at(`after ${what}`);
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

/** Stores by the names of their places; or a custody that is one by itself, as a real server's is. */
export type MemoryStores = Readonly<Record<string, MemoryStore | Custody>>;

interface MemorySettings {
  readonly name: string;
}

export const memoryKind = (open: (name: string) => Custody): CustodyKind<MemorySettings> => ({
  settingsSchema: z.strictObject({ name: z.string() }),
  open: ({ settings }) => open(settings.name),
});

const nobody = Object.assign(() => Promise.reject(new Error("nobody is asked")), {
  resolve: () => Promise.resolve([]),
});

/** Custody as a process opens it, with a place in memory for each store. */
export function openMemoryCustody(ledger: Ledger, keys: KeyRing, stores: MemoryStores = {}): RoutedCustody {
  const places = Object.fromEntries(Object.keys(stores).map((name) => [name, { kind: "memory", name }]));
  const kind = memoryKind((name) => {
    const store = stores[name] ?? memoryStore();
    return "held" in store ? memoryCustody(store) : store;
  });
  return openCustody({ places, ledger, keys, fetch: nobody, log: () => undefined }, { memory: kind });
}

/** What a manifest may say where there is no further place. */
export const onlyEmbedded = { places: [embeddedPlace], usual: embeddedPlace };
