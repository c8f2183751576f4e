/** Versions that this process has just seen let in, so that what hurries does not ask the issuer the same again. */
export interface SeenAccepted {
  note(versionId: string): void;
  isFresh(versionId: string): boolean;
}

/** Less than it takes a person to do anything about it. Milliseconds. */
const freshMs = 1_000;

export function createSeenAccepted(): SeenAccepted {
  const seenAt = new Map<string, number>();
  const isFresh = (versionId: string): boolean =>
    performance.now() - (seenAt.get(versionId) ?? Number.NEGATIVE_INFINITY) < freshMs;
  return {
    isFresh,
    note(versionId) {
      for (const id of seenAt.keys()) if (!isFresh(id)) seenAt.delete(id);
      seenAt.set(versionId, performance.now());
    },
  };
}
