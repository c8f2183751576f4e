import { createHmac } from "node:crypto";
import { z } from "zod";
import { compareClaims } from "../../../domain/claim.ts";
import { OperatorNeededError, PermanentError, TransientError } from "../../../domain/errors.ts";
import type { ConsumerDefinition, ConsumerSession, Delivery } from "../../../providers/contract/consumer.ts";
import { Secret } from "../../../providers/contract/secret.ts";
import { assertFit, revealField, type Value } from "../../../providers/contract/value.ts";
import { StoreFault, type Document, type Store } from "./store.ts";

/** Where the store is, and who may have keys in it. */
export interface StoreConnection {
  readonly host: string;
  readonly teams: readonly string[];
}

export interface StoreConfig {
  readonly name: string;
  /** The target's key, to the field of the value. */
  readonly keys: Readonly<Record<string, string>>;
}

/** What goes wrong on the way to the store; used up by the next write. */
export interface StoreTrouble {
  hold?: { arrived(): void; readonly released: Promise<void> } | undefined;
  loseAnswer?: boolean | undefined;
}

type Held = Readonly<Record<string, string | undefined>>;

const heldIn = (document: Document, config: StoreConfig): Held =>
  Object.fromEntries(Object.keys(config.keys).map((key) => [key, document.entries[key]]));

function wantedOf(value: Value, config: StoreConfig): Readonly<Record<string, string>> {
  const wanted = Object.entries(config.keys).map(([key, field]) => {
    const text = new Secret(revealField(value, field));
    assertFit({ text }, { text: { secret: true, title: field } });
    if (!text.reveal().isWellFormed())
      throw new PermanentError("value_unfit", `The field "${field}" is cut in the middle of a character.`);
    return [key, text.reveal()] as const;
  });
  return Object.fromEntries(wanted);
}

const holdsAll = (held: Held, wanted: Held): boolean =>
  Object.entries(wanted).every(([key, text]) => held[key] === text);

function translated(error: unknown): never {
  if (!(error instanceof StoreFault)) throw error;
  if (error.fault === "read only")
    throw new OperatorNeededError("target_read_only", "The store cannot be written. Grant the right.");
  if (error.fault === "full") throw new TransientError("target_full", "The store has no room. Free some.");
  if (error.fault === "conflict")
    throw new TransientError("target_drift", "Others keep writing. It will be tried again.");
  throw new OperatorNeededError("target_malformed", "The store's content cannot be read. Mend it by hand.");
}

const mostRounds = 8;

function openStore(
  store: Store,
  config: StoreConfig,
  digestKey: Uint8Array,
  signal: AbortSignal,
  trouble: StoreTrouble,
): ConsumerSession {
  const digestOf = (held: Held) =>
    createHmac("sha256", digestKey)
      .update(JSON.stringify([config.name, Object.entries(held).toSorted(([a], [b]) => (a < b ? -1 : 1))]))
      .digest("base64url");

  async function turn(): Promise<void> {
    await new Promise<void>((resolve) => void setImmediate(resolve));
    signal.throwIfAborted();
  }

  async function write(next: Omit<Document, "revision">, revision: number): Promise<void> {
    const { hold, loseAnswer } = trouble;
    trouble.hold = undefined;
    trouble.loseAnswer = undefined;
    hold?.arrived();
    await hold?.released;
    await turn();
    store.write(next, revision);
    if (loseAnswer === true) throw new TransientError("target_unreachable", "The answer did not come.");
  }

  async function round({ number, expected }: Delivery, wanted: Readonly<Record<string, string>>): Promise<string> {
    await turn();
    const document = store.read();
    if (document.number !== undefined && compareClaims(number, document.number) < 0)
      throw new PermanentError("claim_outdated", "A later delivery has been here.");
    const held = heldIn(document, config);
    const isThere = holdsAll(held, wanted);
    if (!isThere && expected !== undefined && digestOf(held) !== expected)
      throw new OperatorNeededError("target_drift", "Somebody else changed our key. Look who, then decide.");
    const isSameNumber = document.number !== undefined && compareClaims(number, document.number) === 0;
    if (!isThere || !isSameNumber)
      await write({ entries: { ...document.entries, ...wanted }, number }, document.revision);
    await turn();
    const after = heldIn(store.read(), config);
    if (!holdsAll(after, wanted))
      throw new OperatorNeededError("target_drift", "What was written is not what lies there. Look who writes.");
    return digestOf(after);
  }

  return {
    async preflight() {
      await turn();
      if (store.isMalformed) return [{ code: "target_malformed", detail: "The store's content cannot be read." }];
      return store.isReadOnly ? [{ code: "target_read_only", detail: "The store cannot be written." }] : [];
    },
    async observe() {
      await turn();
      const document = await Promise.resolve()
        .then(() => store.read())
        .catch(translated);
      const held = heldIn(document, config);
      return {
        ...(document.number === undefined ? {} : { number: document.number }),
        digest: digestOf(held),
        isEmpty: Object.values(held).every((text) => text === undefined || text === ""),
        holds: (value) => Object.entries(config.keys).every(([key, field]) => held[key] === revealField(value, field)),
      };
    },
    async deliver(delivery) {
      const wanted = wantedOf(delivery.value, config);
      for (let rounds = 1; ; rounds++)
        try {
          return { digest: await round(delivery, wanted) };
        } catch (error) {
          const isRace = error instanceof StoreFault && error.fault === "conflict";
          if (!isRace || rounds === mostRounds) translated(error);
        }
    },
    reload: () => Promise.resolve(void (store.reloads += 1)),
  };
}

/** A reference consumer: keys in a store with revisions. */
export function referenceConsumer(
  store: Store,
  trouble: StoreTrouble,
): ConsumerDefinition<StoreConfig, StoreConnection> {
  return {
    kind: "reference-store",
    title: "Reference consumer",
    connectionKind: {
      kind: "reference-store",
      connectionSchema: z.object({ host: z.string(), teams: z.array(z.string()) }),
      adminFields: { token: { secret: true, title: "Token" } },
      adminPrincipalOf: () => "",
    },
    configSchema: z.object({ name: z.string(), keys: z.record(z.string(), z.string()) }),
    targetOf: (config, connection) => `reference-store:${connection?.host ?? ""}/${config.name}`,
    refuses: ({ teams }, _config, team) => (teams.includes(team) ? undefined : `Add ${team} to the store's teams.`),
    fieldsOf: (config) => [...new Set(Object.values(config.keys))],
    open: ({ config, digestKey }, { signal }) => Promise.resolve(openStore(store, config, digestKey, signal, trouble)),
  };
}
