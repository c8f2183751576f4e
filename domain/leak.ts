/**
 * Whether what leaked opens anything. `unproven`: it was ended, or given up, and nobody has seen it refused; for whoever
 * has to decide that is no better than alive.
 */
export const lives = ["alive", "unproven", "dead"] as const;
export type Life = (typeof lives)[number];

/**
 * By the state of a version, and whether a dead one was seen to log in again since. One that this release does not know is
 * not taken for dead.
 */
export function lifeOf(state: string, isRevived: boolean): Life {
  if (state === "proven-dead") return isRevived ? "alive" : "dead";
  return state === "ended" || state === "accepted-unproven" ? "unproven" : "alive";
}

/** What is known of a consumer of the credential. */
export interface ConsumerStanding {
  /** What was put there last; null: nothing, so that it has what it had before rekey. */
  readonly heldVersion: number | null;
  /** The version that its newest complete evidence shows; null: it has shown nothing. */
  readonly seenVersion: number | null;
}

/**
 * Why the end of a version may break a consumer: it holds that one, nothing was ever delivered to it, or it was given
 * another one and has not been seen to use that. Undefined: it was seen on another one.
 */
export const ties = ["holds", "undelivered", "unseen"] as const;
export type Tie = (typeof ties)[number];

export function tieTo(version: number, { heldVersion, seenVersion }: ConsumerStanding): Tie | undefined {
  if (heldVersion === version) return "holds";
  if (heldVersion === null) return "undelivered";
  return seenVersion === null || seenVersion === version ? "unseen" : undefined;
}
