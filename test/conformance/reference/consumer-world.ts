import { createHash, randomBytes } from "node:crypto";
import type { ConsumerDefinition, ConsumerSession } from "../../../providers/contract/consumer.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { anyConsumer, ownTeam, type ConsumerWorld, type OpenConsumerHow } from "../consumer-world.ts";
import { gate } from "../gate.ts";
import { referenceConsumer, type StoreConfig, type StoreConnection, type StoreTrouble } from "./consumer.ts";
import { Store } from "./store.ts";

/** A wrong consumer changes the definition or its sessions, in one small way. */
export interface ConsumerTwist {
  definition?(
    right: ConsumerDefinition<StoreConfig, StoreConnection>,
  ): Partial<ConsumerDefinition<StoreConfig, StoreConnection>>;
  session?(right: ConsumerSession, store: Store): Partial<ConsumerSession>;
}

export const storeConfig: StoreConfig = { name: "orders", keys: { DB_USER: "username", DB_PASSWORD: "password" } };

export function makeStoreWorld(twist: ConsumerTwist = {}): Promise<ConsumerWorld> {
  const store = new Store();
  const ownKey = randomBytes(32);
  const ourKeys = Object.entries(storeConfig.keys);
  const defined = (trouble: StoreTrouble): ConsumerDefinition<StoreConfig, StoreConnection> => {
    const right = referenceConsumer(store, trouble);
    return { ...right, ...twist.definition?.(right) };
  };

  async function open(how: OpenConsumerHow, trouble: StoreTrouble = {}): Promise<ConsumerSession> {
    const right = await defined(trouble).open(
      {
        config: storeConfig,
        allowed: { roots: [], reloads: {} },
        consumer: anyConsumer,
        digestKey: how.digestKey ?? ownKey,
      },
      {
        signal: how.signal ?? new AbortController().signal,
        log: how.log ?? (() => undefined),
        fetch: Object.assign(() => Promise.resolve({ outcome: "refused" as const }), {
          resolve: () => Promise.resolve([]),
        }),
      },
    );
    return twist.session === undefined ? right : { ...right, ...twist.session(right, store) };
  }

  const change = (part: Readonly<Record<string, string>>) =>
    Promise.resolve(store.write({ ...store.document, entries: { ...store.document.entries, ...part } }));

  const world: ConsumerWorld = {
    definition: defined({}),
    config: storeConfig,
    open: (how = {}) => open(how),
    readBehindBack: () =>
      Promise.resolve(Object.fromEntries(ourKeys.map(([key, field]) => [field, store.document.entries[key]]))),
    foreignBehindBack: () =>
      Promise.resolve(Object.entries(store.document.entries).filter(([key]) => !(key in storeConfig.keys))),
    fingerprint: () => Promise.resolve(createHash("sha256").update(JSON.stringify(store.document)).digest("hex")),
    freshValue: () => ({
      username: `orders_${randomBytes(3).toString("hex")}`,
      password: new Secret(randomBytes(24).toString("base64url")),
      unused: "not for this consumer",
    }),
    secretField: "password",
    abilities: {
      changeOurs: (text) => change({ DB_PASSWORD: text }),
      changeForeign: () => change({ MODE: `by hand ${randomBytes(3).toString("hex")}` }),
      removeTarget: () => Promise.resolve(store.write({ entries: {} })),
      malform: () => Promise.resolve(void (store.isMalformed = true)),
      makeReadOnly: () => Promise.resolve(void (store.isReadOnly = true)),
      fillUp: () => Promise.resolve(void (store.isFull = true)),
      swallowWrites: () => Promise.resolve(void (store.swallows = true)),
      async holdNextWrite() {
        const [onItsWay, arrived] = gate();
        const [released, release] = gate();
        return { session: await open({}, { hold: { arrived, released } }), onItsWay, release };
      },
      loseNextAnswer: () => open({}, { loseAnswer: true }),
      reloads: () => Promise.resolve(store.reloads),
      connections: () =>
        Promise.resolve({
          own: { host: "here", teams: [ownTeam] },
          elsewhere: { host: "there", teams: [ownTeam] },
        }),
    },
    close: () => Promise.resolve(),
  };
  return Promise.resolve(world);
}
