interface Change<T> {
  readonly value: T;
  readonly atMs: number;
  /** When each endpoint gets to know it, by the endpoint's number. */
  readonly seenAtMs: readonly number[];
}

/**
 * What several endpoints know of one thing: each hears of a change after a time of its own, and of changes in their
 * order. So an endpoint that knows of a change says nothing about the next one that is asked.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
 */
export class Timeline<T> {
  readonly #first: T;
  readonly #changes: Change<T>[] = [];
  constructor(first: T) {
    this.#first = first;
  }

  record(value: T, atMs: number, delaysMs: readonly number[]): void {
    const before = this.#changes.at(-1)?.seenAtMs;
    const seenAtMs = delaysMs.map((delayMs, at) => Math.max(atMs + delayMs, before?.[at] ?? 0));
    this.#changes.push({ value, atMs, seenAtMs });
  }

  /** What was, whoever knew it. */
  truth(atMs = Infinity): T {
    return this.#valueOf(this.#changes.findLast((change) => change.atMs <= atMs));
  }

  seenBy(endpoint: number, atMs: number): T {
    return this.#valueOf(this.#changes.findLast(({ seenAtMs }) => (seenAtMs[endpoint] ?? 0) <= atMs));
  }

  /** Every time at which something changes, or an endpoint learns of it. */
  moments(): readonly number[] {
    return this.#changes.flatMap(({ atMs, seenAtMs }) => [atMs, ...seenAtMs]);
  }

  #valueOf(change: Change<T> | undefined): T {
    return change === undefined ? this.#first : change.value;
  }
}
