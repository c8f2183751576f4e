/** Everything that has to be ended, in the order in which it was begun. */
export interface Closers {
  /**
   * Begins something and remembers how to end it. Remembered before it has begun, so that an interrupt in the middle
   * of a start waits for it and ends it too.
   */
  begin<T>(start: Promise<T>, end: (started: T) => Promise<void>): Promise<T>;
  /** What is added after the end is ended at once. */
  add(end: () => Promise<void>): void;
  /** Ends all, last first, even when one fails; throws the first failure. May be repeated. */
  close(): Promise<void>;
}

export function openClosers(): Closers {
  const ends: (() => Promise<void>)[] = [];
  let closing: Promise<void> | undefined;
  let isClosed = false;
  const closeAll = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (let end = ends.pop(); end !== undefined; end = ends.pop())
      await end().catch((error: unknown) => failures.push(error));
    isClosed = true;
    if (failures.length > 0) throw failures[0];
  };
  const add = (end: () => Promise<void>): void => {
    if (isClosed) end().catch(() => undefined);
    else ends.push(end);
  };
  return {
    begin(start, end) {
      add(async () => {
        const started = await start.then(
          (value) => ({ value }),
          () => undefined,
        );
        if (started !== undefined) await end(started.value);
      });
      return start;
    },
    add,
    close: () => (closing ??= closeAll()),
  };
}
