import type { z } from "zod";
import type { Strength } from "../../domain/evidence.ts";
import type { Order } from "../../domain/order.ts";
import type { Instances } from "./consumer.ts";
import type { ProviderContext } from "./context.ts";
import type { SeenSession, Usage } from "./issuer.ts";
import type { Secret } from "./secret.ts";

/** One version as evidence sees it. */
export interface EvidenceVersion {
  readonly version: number;
  readonly handle: string;
  /** The field that the issuer declares as authenticator. */
  readonly authenticator: Secret<string>;
  /**
   * Issuer's clock, ISO 8601: when it came into force; the previous one in an undo: when it came back. In a single slot
   * only this tells the sessions of two versions apart. Empty: unknown.
   */
  readonly effectiveAt: string;
}

export interface EvidenceQuestion<Config = unknown> {
  readonly config: Config;
  /** This installation of rekey, as the application's settings name it. */
  readonly instance: string;
  /** Consumer id (`con_…`), as the application's settings name it. */
  readonly consumer: string;
  readonly order: Order;
  /** What everybody must be on: the new version going forward, the previous one during undo. */
  readonly expected: EvidenceVersion;
  /** What nobody may be on any more; absent when there is none. */
  readonly unwanted?: EvidenceVersion | undefined;
  /** Samples of the issuer's usage since the consumer's last delivery, oldest first. */
  readonly samples: readonly Usage[];
  /** The samples must reach over this long. Milliseconds. */
  readonly observeForMs: number;
  /** What the consumer's own platform shows of its instances now; absent when its kind cannot show them. */
  readonly instances?: () => Promise<Instances>;
}

/** What a collector saw. Not complete is no failure: the step asks again until its time is over. */
export interface EvidenceAnswer {
  /** Each instance gave it and none gave another version. */
  readonly complete: boolean;
  /** How many instances showed the expected version. */
  readonly instances: number;
  /** What is missing, a sentence each, for an operator; empty exactly when complete. */
  readonly lacks: readonly string[];
}

/** A way to learn which version a running consumer uses. One folder and one line in the catalog each. */
export interface EvidenceDefinition<Config = unknown> {
  readonly kind: string;
  readonly title: string;
  readonly strength: Strength;
  /** The application itself has to be changed before it can show this. */
  readonly needsChange: boolean;
  /** It asks `instances` of the question: collected of every consumer whose kind shows them, and of no other. */
  readonly needsInstances?: true;
  readonly configSchema: z.ZodType<Config>;
  /** What somebody writes who asks for it, to be pasted and corrected; absent: it needs no configuration. */
  readonly example?: Config;
  collect(question: EvidenceQuestion<Config>, context: ProviderContext): Promise<EvidenceAnswer>;
  /** Whether a session at the issuer can be this consumer's. Without it no session is, and each is a stranger's. */
  explains?(config: Config, session: SeenSession): boolean;
  /** The narrowest configuration that explains a session: what a consumer registers that it is to be. With `explains`. */
  match?(session: SeenSession): Config;
}
