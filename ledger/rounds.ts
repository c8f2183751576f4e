import type { TroubleSpell } from "../domain/trouble-spell.ts";

export interface Rounds {
  start(): void;
  /** Resolves when the round that is under way is over. */
  stop(): Promise<void>;
}

/** Runs one round after the other. A round answers in how many milliseconds the next one begins. */
export function createRounds(
  round: () => Promise<number>,
  { spell, afterFailureMs }: { readonly spell: TroubleSpell; readonly afterFailureMs: number },
): Rounds {
  let isStarted = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  function arm(delayMs: number): void {
    timer = setTimeout(() => {
      running = round().then(
        (nextMs) => {
          spell.worked();
          if (isStarted) arm(nextMs);
        },
        (error: unknown) => {
          spell.failed(error);
          if (isStarted) arm(afterFailureMs);
        },
      );
    }, delayMs);
  }

  return {
    start() {
      if (isStarted) return;
      isStarted = true;
      arm(0);
    },
    async stop() {
      isStarted = false;
      clearTimeout(timer);
      await running;
    },
  };
}
