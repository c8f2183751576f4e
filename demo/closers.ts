/** Everything that has to be ended, in the order in which it was begun. */
export interface Closers {
  /**
   * Begins something and remembers how to end it. Remembered before it has begun, so that an interrupt in the middle
   * of a start waits for it and ends it too.
   */
  begin<T>(start: Promise<T>, end: (started: T) => Promise<void>): Promise<T>;
  add(end: () => Promise<void>): void;
  /** Ends all, last first, even when one fails; throws the first failure. What came too late is ended by the next. */
  close(): Promise<void>;
}

export function openClosers(): Closers {
  const ends: (() => Promise<void>)[] = [];
  return {
    begin(start, end) {
      ends.push(async () => {
        const started = await start.then(
          (value) => ({ value }),
          () => undefined,
        );
        if (started !== undefined) await end(started.value);
      });
      return start;
    },
    add: (end) => void ends.push(end),
    async close() {
      const failures: unknown[] = [];
      for (let end = ends.pop(); end !== undefined; end = ends.pop())
        await end().catch((error: unknown) => failures.push(error));
      if (failures.length > 0) throw failures[0];
    },
  };
}
