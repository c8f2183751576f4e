import type { z } from "zod";
import type { Code } from "../../domain/errors.ts";
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
}

export interface Observation {
  /** The delivery number the target itself carries; absent when we never wrote it. */
  readonly number?: { readonly epoch: number; readonly number: number };
  /** Keyed digest of our keys' content, to detect drift. Not a digest that leaves the ledger. */
  readonly digest: string;
  /** True when none of our keys holds anything yet, so that a first delivery overwrites nobody. */
  readonly isEmpty: boolean;
  /** True when our keys hold exactly the given value. */
  readonly holds: (value: Value) => boolean;
}

export interface ConsumerFinding {
  readonly code: Code;
  readonly detail: string;
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
  reload?(): Promise<void>;
}

export interface ConsumerOpening<Config> {
  readonly config: Config;
  /** What the worker's settings allow: roots, reload entries, programs. */
  readonly allowed: {
    readonly roots: readonly string[];
    readonly reloads: Readonly<Record<string, ReloadEntry>>;
    /** Absent: none. */
    readonly programs?: Readonly<Record<string, ProgramEntry>>;
  };
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

export interface ConsumerDefinition<Config = unknown> {
  readonly kind: string;
  readonly title: string;
  readonly configSchema: z.ZodType<Config>;
  /** The address a delivery writes, canonical: two registrations with one target take turns by it. No access. */
  targetOf(config: Config): string;
  /** Which fields of the issuer's value it needs. */
  fieldsOf(config: Config): readonly string[];
  /** What a person minds of such a target before the first delivery, since only a worker can look; a sentence. */
  noteOf?(target: string): string;
  open(opening: ConsumerOpening<Config>, context: ProviderContext): Promise<ConsumerSession>;
}
