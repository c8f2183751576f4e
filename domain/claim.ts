/** A turn to act. Rises per credential across all its rotations; belongs to one operation. */
export interface Claim {
  /** Raised by a restore of the ledger, so that nothing written before it counts any more. */
  readonly epoch: number;
  readonly number: number;
}

/** Negative when `a` is older than `b`, zero when they are the same turn. */
export function compareClaims(a: Claim, b: Claim): number {
  return a.epoch - b.epoch || a.number - b.number;
}
