/** Work that goes first in this process, and work that lets it pass. */
export interface Precedence {
  /** Whether any goes first now. */
  readonly isPassing: () => boolean;
  first<T>(work: () => Promise<T>): Promise<T>;
  /** Resolves when none goes first any more, or after the longest time that anything steps aside. */
  letPass(): Promise<void>;
}

/** Milliseconds. So long at most, before each step: what lets others pass for ever would never be done. */
const longestMs = 1_000;

export function createPrecedence(asideMs = longestMs): Precedence {
  let passing = 0;
  let waiting: (() => void)[] = [];
  return {
    isPassing: () => passing > 0,
    async first(work) {
      passing += 1;
      try {
        return await work();
      } finally {
        passing -= 1;
        if (passing === 0) {
          const goOn = waiting;
          waiting = [];
          for (const each of goOn) each();
        }
      }
    },
    async letPass() {
      if (passing === 0) return;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, asideMs);
        waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    },
  };
}
