import type { z } from "zod";
import type { Code } from "../../domain/errors.ts";
import type { ConnectionKind } from "./connection.ts";
import type { ProviderContext } from "./context.ts";
import type { Value } from "./value.ts";

export interface Delivery {
  /** The version's number at its credential. */
  readonly version: number;
  /** Rises per target with each delivery; a lower one never overwrites a higher one. Epoch first. */
  readonly number: { readonly epoch: number; readonly number: number };
  readonly value: Value;
  /** What `observe` showed when the ledger last recorded this target; absent before the first delivery. */
  readonly expected?: string;
  readonly about?: DeliveryAbout;
}

/** What a delivery is part of, for whoever is told of it: names and ids, nothing of a value. */
export interface DeliveryAbout {
  /** `team/name` */
  readonly credential: string;
  /** `rot_…` */
  readonly rotation: string;
  /** The former version comes back. */
  readonly isUndo: boolean;
}

export interface Observation {
  /** The delivery number the target itself carries; absent when we never wrote it. */
  readonly number?: { readonly epoch: number; readonly number: number };
  /** Keyed digest of our keys' content, to detect drift. Not a digest that leaves the ledger. */
  readonly digest: string;
  /** True when none of our keys holds anything yet, so that a first delivery overwrites nobody. */
  readonly isEmpty: boolean;
  /** Who else wrote our keys since, where the target tells: a sentence, without any of what was written. */
  readonly foreignHands?: string;
  /** True when our keys hold exactly the given value. */
  readonly holds: (value: Value) => boolean;
}

export interface ConsumerFinding {
  readonly code: Code;
  readonly detail: string;
}

/** One running instance, such as a pod, as the platform that runs it shows it. */
export interface Instance {
  /** As an operator would look for it. */
  readonly name: string;
  /**
   * `new`: it runs, is ready, and started after the newest delivery with what that put there. In an undo the newest one is
   * that of the previous value. `old`: it started before, or with anything else. `starting`: it may become new by itself.
   * `failed`: it will not, without a person.
   */
  readonly state: "new" | "old" | "starting" | "failed";
  /** What is wrong or awaited, a sentence for an operator: no value, no message of the platform. */
  readonly detail?: string;
}

export interface Instances {
  readonly instances: readonly Instance[];
  /** What no single instance shows, a sentence each: an owner that is missing, a rollout that is stuck or paused. */
  readonly lacks: readonly string[];
}

export interface ConsumerSession {
  /**
   * No effect. Says what would stop a delivery of these values, one over the other: the candidate, then today's, which
   * an undo puts back.
   */
  preflight(values?: readonly Value[]): Promise<readonly ConsumerFinding[]>;
  observe(): Promise<Observation>;
  /** Compare-and-set, read back, only its own keys changed. Succeeds when it holds already. */
  deliver(delivery: Delivery): Promise<{ readonly digest: string }>;
  /**
   * The way of a delivery with a made-up value, beside the target: the target, what it holds and who reads it notice
   * nothing, and nothing is left behind; who is only told of versions is told that this is a test. One sentence of what
   * was done. Throws as `deliver` does.
   */
  rehearse?(value: Value): Promise<string>;
  reload?(): Promise<void>;
  /**
   * No effect. Every instance that uses the target and runs now, or still ends. There exactly where `showsInstances` of
   * the definition says so. Throws `TransientError` when it could not look.
   */
  instances?(): Promise<Instances>;
}

export interface ConsumerOpening<Config, Connection = unknown> {
  readonly config: Config;
  /** There exactly where the definition has a `connectionKind`. */
  readonly connection?: {
    /** Checked by its `connectionSchema`. */
    readonly settings: Connection;
    /** The fields of its `adminFields`. */
    readonly secret: Value;
  };
  /** What the worker's settings allow: roots, reload entries, programs. */
  readonly allowed: {
    readonly roots: readonly string[];
    readonly reloads: Readonly<Record<string, ReloadEntry>>;
    /** Absent: none. */
    readonly programs?: Readonly<Record<string, ProgramEntry>>;
  };
  /** Whose registration it is (`con_…`): tells what this one wrote from what another one did at the same place. */
  readonly consumer: string;
  /** For the digest of observations. */
  readonly digestKey: Uint8Array;
}

/** A way to reload, named in the worker's settings; a registration names the entry, never a path or command. */
export type ReloadEntry =
  | { readonly signal: "SIGHUP" | "SIGUSR1" | "SIGUSR2"; readonly pidFile: string }
  | {
      /** Absolute program and its arguments; no shell. */
      readonly argv: readonly [string, ...string[]];
      readonly uid?: number | undefined;
      /** Absent: the same number as `uid`, so that no group of the worker is kept. */
      readonly gid?: number | undefined;
      readonly timeoutMs: number;
    };

/** A program that serves targets, named in the worker's settings; a registration names the entry, never a command. */
export interface ProgramEntry {
  /** Absolute program and its arguments; no shell. */
  readonly argv: readonly [string, ...string[]];
  readonly uid?: number | undefined;
  /** Absent: the same number as `uid`, so that no group of the worker is kept. */
  readonly gid?: number | undefined;
  /** The one variable, PATH, of its environment. Absent: the environment is empty. */
  readonly path?: string | undefined;
  readonly timeoutMs: number;
}

export interface ConsumerDefinition<Config = unknown, Connection = unknown> {
  readonly kind: string;
  readonly title: string;
  /** Absent: it is reached without a connection, and a manifest may name none. */
  readonly connectionKind?: ConnectionKind<Connection>;
  readonly configSchema: z.ZodType<Config>;
  /**
   * The address a delivery writes, canonical: two registrations with one target take turns by it. No access. Over a
   * connection the system's own address is part of it, so that two connections to one system meet in one target.
   */
  targetOf(config: Config, connection?: Connection): string;
  /**
   * The keys that two registrations of one target would both write, as people name them; they are refused. Absent: a target
   * is written as a whole.
   */
  sharedKeys?(one: Config, other: Config): readonly string[];
  /** Which fields of the issuer's value it needs. */
  fieldsOf(config: Config): readonly string[];
  /**
   * Why this connection may not be used for this target by this team: what `settings` do not list. A sentence that says
   * what to do. Asked when it is registered, and again before each look or delivery. No access.
   */
  refuses?(settings: Connection, config: Config, team: string): string | undefined;
  /**
   * True: it is told of versions and is given no value, so that there is nothing to read back. Its `observe` says that it
   * is empty, and evidence of strength `delivered` does not exist.
   */
  readonly isNotice?: true;
  /** Whether its session has `instances`. Then evidence of kind `platform` is collected without being asked for. */
  showsInstances?(config: Config): boolean;
  /** What is started anew after each delivery, as people name it; the plan says so. */
  restartsOf?(config: Config): readonly string[];
  /** What a person minds of such a target before the first delivery, since only a worker can look; a sentence. `consumer`: `team/name`. */
  noteOf?(target: string, consumer: string): string;
  /** A registration to start from, for one text file of a person's that holds a login: variable to field. */
  draft?(path: string, keys: Readonly<Record<string, string>>): unknown;
  /** For `rekey init <name>`: what an administrator of the target runs before it is registered. Text; no access. */
  readonly init?: { readonly name: string; grantsFor(config: Config): string };
  open(opening: ConsumerOpening<Config, Connection>, context: ProviderContext): Promise<ConsumerSession>;
}
