import type { ConsumerDefinition, ConsumerSession } from "../../providers/contract/consumer.ts";
import type { ProviderLog } from "../../providers/contract/context.ts";
import type { Value } from "../../providers/contract/value.ts";
import { notApplicable, type Lacks } from "./applicability.ts";

/** Stands for a registration where it does not matter whose. */
export const anyConsumer = `con_${"0".repeat(26)}`;

export interface OpenConsumerHow {
  readonly signal?: AbortSignal;
  readonly log?: ProviderLog;
  readonly digestKey?: Uint8Array;
}

/** What a world can do to its target, each behind the provider's back. The world undoes it in `close`. */
export interface ConsumerAbilities {
  /** Somebody writes this into one of our keys. */
  changeOurs(text: string): Promise<void>;
  /** Somebody changes what is not ours. */
  changeForeign(): Promise<void>;
  /** The target is gone. */
  removeTarget(): Promise<void>;
  /** The target's content is no longer what it was declared to be. */
  malform(): Promise<void>;
  /** Nothing can be written any more. */
  makeReadOnly(): Promise<void>;
  /** There is no room for another byte. */
  fillUp(): Promise<void>;
  /** The target says yes to a write and forgets it. */
  swallowWrites(): Promise<void>;
  /** A worker whose next write is on its way, and lands only after `release`. */
  holdNextWrite(): Promise<{ readonly session: ConsumerSession; readonly onItsWay: Promise<void>; release(): void }>;
  /** A worker whose next write is applied, and whose answer is lost. */
  loseNextAnswer(): Promise<ConsumerSession>;
  /** How often the consumer has been told to reload. */
  reloads(): Promise<number>;
  /** The connection over which the target is reached, and one to another system that is the same otherwise. */
  connections(): Promise<{ readonly own: unknown; readonly elsewhere: unknown }>;
}

/** The team that a world's connection lets use its target. */
export const ownTeam = "shop";

/** A real or fake target of one registration, with something of others in it, as somebody outside sees and shakes it. */
export interface ConsumerWorld {
  readonly definition: ConsumerDefinition;
  readonly config: unknown;
  /** A session as another worker would hold it. */
  open(how?: OpenConsumerHow): Promise<ConsumerSession>;
  /** What the application reads, field by field and all at one moment; undefined where there is nothing. */
  readBehindBack(): Promise<Readonly<Record<string, string | undefined>>>;
  /** Everything in the target that is not ours. */
  foreignBehindBack(): Promise<unknown>;
  /** Digest of the whole target, side files and all. */
  fingerprint(): Promise<string>;
  /** A fresh value with every field that the consumer needs, `secretField` among them. */
  freshValue(): Value;
  readonly secretField: string;
  readonly abilities: { readonly [Name in keyof ConsumerAbilities]: ConsumerAbilities[Name] | Lacks };
  close(): Promise<void>;
}

/** The ability, or the end of the clause with the world's reason. */
export function consumerAbility<Name extends keyof ConsumerAbilities>(
  world: ConsumerWorld,
  name: Name,
): ConsumerAbilities[Name] {
  const found = world.abilities[name];
  if (typeof found === "function") return found as ConsumerAbilities[Name];
  return notApplicable(`${name}: ${found.lacks}`);
}
