import { setImmediate as nextTurn } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { OperatorNeededError, PermanentError, TransientError } from "../../domain/errors.ts";
import { custodyKey, type Custody, type CustodyRef } from "../../custody/custody.ts";
import type { CustodyWorld } from "../../custody/suite.ts";
import { Secret } from "../../providers/contract/secret.ts";
import { revealField, type Value } from "../../providers/contract/value.ts";

interface Held {
  readonly ref: CustodyRef;
  readonly fields: readonly (readonly [name: string, text: string, isSecret: boolean])[];
}

/** A store that loses what it is told to lose. */
export class Store {
  readonly #held = new Map<string, Held>();
  lost: "answer" | "write" | undefined;
  #calls = 0;

  /** No two calls under way take equally long, as over a network; which one takes how long is the same in each run. */
  async #onTheWay(): Promise<void> {
    this.#calls += 1;
    for (let turns = (this.#calls * 7) % 5; turns >= 0; turns -= 1) await nextTurn();
  }

  async read(key: string): Promise<Held | undefined> {
    await this.#onTheWay();
    return this.#held.get(key);
  }

  /** Unless something is there, when that is asked. */
  async write(key: string, held: Held, ifAbsent: boolean): Promise<void> {
    await this.#onTheWay();
    const now = this.lost;
    this.lost = undefined;
    if (now === "write") throw new TransientError("custody_unreachable", "The store did not answer.");
    if (!ifAbsent || !this.#held.has(key)) this.#held.set(key, held);
    if (now === "answer") throw new TransientError("custody_unreachable", "The store did not answer.");
  }

  async remove(key: string): Promise<void> {
    await this.#onTheWay();
    this.#held.delete(key);
  }
}

/** The parts of a custody, so that each can be wrong by itself. */
export interface Parts {
  readonly keyOf: (ref: CustodyRef) => string;
  readonly pack: (value: Value) => Held["fields"];
  readonly isOf: (held: Held, ref: CustodyRef) => boolean;
  readonly refusal: (held: Held) => Error;
  readonly put: (store: Store, parts: Parts, ref: CustodyRef, value: Value) => Promise<Value>;
  /** What stands between the store and this process. */
  readonly wrap: (custody: Custody, store: Store) => Custody;
}

const unpack = ({ fields }: Held): Value =>
  Object.fromEntries(fields.map(([name, text, isSecret]) => [name, isSecret ? new Secret(text) : text]));
const pack: Parts["pack"] = (value) =>
  Object.entries(value).map(([name, part]) => [name, revealField(value, name), part instanceof Secret]);

async function open(store: Store, parts: Parts, ref: CustodyRef): Promise<Value | undefined> {
  const held = await store.read(parts.keyOf(ref));
  if (held === undefined) return undefined;
  if (!parts.isOf(held, ref)) throw parts.refusal(held);
  return unpack(held);
}

/** Every part as it should be. */
export const right: Parts = {
  keyOf: custodyKey,
  pack,
  isOf: (held, ref) => isDeepStrictEqual({ ...held.ref }, { ...ref }),
  refusal: () => new OperatorNeededError("custody_unreadable", "It was put for something else."),
  async put(store, parts, ref, value) {
    await store.write(parts.keyOf(ref), { ref, fields: parts.pack(value) }, true);
    const kept = await open(store, parts, ref);
    if (kept === undefined) throw new PermanentError("custody_missing", "It was forgotten while it was put.");
    return kept;
  },
  wrap: (custody) => custody,
};

function custodyOf(store: Store, parts: Parts): Custody {
  const custody: Custody = {
    putIfAbsent: async (ref, value) => parts.put(store, parts, ref, value),
    get: async (ref) => open(store, parts, ref),
    forget: async (ref) => store.remove(parts.keyOf(ref)),
  };
  return parts.wrap(custody, store);
}

let serial = 0;

export function worldOf(parts: Parts): CustodyWorld {
  const store = new Store();
  return {
    custody: custodyOf(store, parts),
    other: custodyOf(store, parts),
    freshRef: () => ({
      instance: "ins_test",
      credential: `cred_${(serial += 1)}`,
      version: 1,
      row: `ver_${serial}`,
      purpose: "version",
      pool: "default",
    }),
    losesNextAnswer: () => void (store.lost = "answer"),
    losesNextWrite: () => void (store.lost = "write"),
  };
}

const without = (ignored: keyof CustodyRef): Partial<Parts> => ({
  isOf: (held, ref) => isDeepStrictEqual({ ...held.ref, [ignored]: "" }, { ...ref, [ignored]: "" }),
});

const swallow = async (work: Promise<void>) => work.catch(() => undefined);

export interface WrongCustody {
  readonly name: string;
  readonly wrong: Partial<Parts>;
  /** The clause that must catch it. */
  readonly caughtBy: string;
}

/** Custodies with one fault each. */
export const wrongCustodies: readonly WrongCustody[] = [
  {
    name: "makes up a value where there is none",
    wrong: {
      wrap: (custody) => ({
        ...custody,
        get: async (ref) => (await custody.get(ref)) ?? { username: "", password: "" },
      }),
    },
    caughtBy: "answers undefined for what was never put",
  },
  {
    name: "keeps values in the process alone",
    wrong: {
      wrap: () => custodyOf(new Store(), right),
    },
    caughtBy: "gives back what was put, to another process too",
  },
  {
    name: "loses which fields are secret",
    wrong: { pack: (value) => pack(value).map(([name, text]) => [name, text, false]) },
    caughtBy: "keeps which fields are secret",
  },
  {
    name: "cuts long values",
    wrong: { pack: (value) => pack(value).map(([name, text, isSecret]) => [name, text.slice(0, 4096), isSecret]) },
    caughtBy: "keeps every character of a value",
  },
  {
    name: "overwrites",
    wrong: {
      async put(store, parts, ref, value) {
        await store.write(parts.keyOf(ref), { ref, fields: parts.pack(value) }, false);
        return (await open(store, parts, ref)) ?? value;
      },
    },
    caughtBy: "answers a second put with the first value",
  },
  {
    name: "answers what was sent and not what was read",
    wrong: {
      async put(store, parts, ref, value) {
        await store.write(parts.keyOf(ref), { ref, fields: parts.pack(value) }, true);
        return value;
      },
    },
    caughtBy: "answers a second put with the first value",
  },
  {
    name: "looks whether something is there and writes over it a moment later",
    wrong: {
      async put(store, parts, ref, value) {
        const there = await open(store, parts, ref);
        if (there !== undefined) return there;
        await store.write(parts.keyOf(ref), { ref, fields: parts.pack(value) }, false);
        return (await open(store, parts, ref)) ?? value;
      },
    },
    caughtBy: "lets one of many simultaneous puts win, and tells it to all",
  },
  {
    name: "has one place for all purposes",
    wrong: {
      keyOf: ({ credential, version }) => `${credential}/${version}`,
      isOf: (held, ref) => held.ref.row === ref.row,
    },
    caughtBy: "keeps versions, purposes and credentials apart",
  },
  {
    name: "complains about what is gone already",
    wrong: {
      wrap: (custody) => ({
        ...custody,
        async forget(ref) {
          if ((await custody.get(ref)) === undefined) throw new PermanentError("custody_missing", "It is gone.");
          await custody.forget(ref);
        },
      }),
    },
    caughtBy: "forgets, and forgets again without complaint",
  },
  {
    name: "forgets in its own memory and leaves the store as it is",
    wrong: {
      wrap(custody) {
        const forgotten = new Set<string>();
        return {
          async putIfAbsent(ref, value) {
            forgotten.delete(custodyKey(ref));
            return custody.putIfAbsent(ref, value);
          },
          get: async (ref) => (forgotten.has(custodyKey(ref)) ? undefined : custody.get(ref)),
          forget: (ref) => Promise.resolve(void forgotten.add(custodyKey(ref))),
        };
      },
    },
    caughtBy: "forgets for every process, also for one that has read it",
  },
  {
    name: "remembers what it has read",
    wrong: {
      wrap(custody) {
        const read = new Map<string, Value>();
        return {
          ...custody,
          async get(ref) {
            const found = read.get(JSON.stringify(ref)) ?? (await custody.get(ref));
            if (found !== undefined) read.set(JSON.stringify(ref), found);
            return found;
          },
          async forget(ref) {
            read.delete(JSON.stringify(ref));
            await custody.forget(ref);
          },
        };
      },
    },
    caughtBy: "forgets for every process, also for one that has read it",
  },
  {
    name: "answers many in an order of its own",
    wrong: {
      wrap: (custody) => ({
        ...custody,
        getMany: async (refs) => Promise.all(refs.toReversed().map(async (ref) => custody.get(ref))),
        putManyIfAbsent: async (entries) =>
          Promise.all(entries.map(async ({ ref, value }) => custody.putIfAbsent(ref, value))),
        forgetMany: async (refs) => void (await Promise.all(refs.map(async (ref) => custody.forget(ref)))),
      }),
    },
    caughtBy: "does the same for many, in the order asked, where it can",
  },
  ...(["instance", "row", "pool", "binding"] as const).map((part): WrongCustody => ({
    name: `ignores the ${part}`,
    wrong: without(part),
    caughtBy: `opens nothing under another ${part}`,
  })),
  {
    name: "compares the binding only where both have one",
    wrong: {
      isOf: (held, ref) =>
        right.isOf(held, ref) ||
        ((held.ref.binding === undefined || ref.binding === undefined) &&
          right.isOf({ ...held, ref: { ...held.ref, binding: "" } }, { ...ref, binding: "" })),
    },
    caughtBy: "opens nothing with a binding that was put without one, and the other way round",
  },
  {
    name: "has one place for all credentials",
    wrong: { keyOf: ({ version, purpose, row }) => `${row}/${version}/${purpose}`, isOf: () => true },
    caughtBy: "opens nothing under another credential",
  },
  {
    name: "says what it found when it refuses",
    wrong: {
      refusal: (held) => new OperatorNeededError("custody_unreadable", `It holds ${JSON.stringify(held.fields)}.`),
    },
    caughtBy: "opens nothing under another row",
  },
  {
    name: "compares nothing when it answers a put",
    wrong: {
      async put(store, parts, ref, value) {
        await store.write(parts.keyOf(ref), { ref, fields: parts.pack(value) }, true);
        const held = await store.read(parts.keyOf(ref));
        return held === undefined ? value : unpack(held);
      },
    },
    caughtBy: "answers nobody's put with a value that was put for another row or pool",
  },
  {
    name: "forgets nothing that was put for another row",
    wrong: {
      wrap: (custody) => ({
        ...custody,
        async forget(ref) {
          await custody.get(ref).then(
            async () => custody.forget(ref),
            () => undefined,
          );
        },
      }),
    },
    caughtBy: "forgets what lies in the ref's place, even when it was put for another row",
  },
  {
    name: "removes what it put when the answer was lost",
    wrong: {
      async put(store, parts, ref, value) {
        try {
          return await right.put(store, parts, ref, value);
        } catch (error) {
          await store.remove(parts.keyOf(ref));
          throw error;
        }
      },
    },
    caughtBy: "answers the first value when a put whose answer was lost is made again with another",
  },
  {
    name: "swallows a failed write",
    wrong: {
      async put(store, parts, ref, value) {
        await swallow(store.write(parts.keyOf(ref), { ref, fields: parts.pack(value) }, true));
        return (await open(store, parts, ref)) ?? value;
      },
    },
    caughtBy: "says so when a value was not stored, and takes the next one",
  },
  {
    name: "writes a value field by field",
    wrong: {
      async put(store, parts, ref, value) {
        const key = parts.keyOf(ref);
        for (const field of parts.pack(value)) {
          const fields = [...((await store.read(key))?.fields ?? [])];
          if (!fields.some(([name]) => name === field[0]))
            await store.write(key, { ref, fields: [...fields, field] }, false);
        }
        const kept = await open(store, parts, ref);
        if (kept === undefined) throw new PermanentError("custody_missing", "It was forgotten while it was put.");
        return kept;
      },
    },
    caughtBy: "keeps all of a value or nothing of it when it is put and forgotten at the same moment",
  },
];
