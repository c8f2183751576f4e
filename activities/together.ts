interface Waiting<One, Answer> {
  readonly one: One;
  readonly answered: (answer: Answer) => void;
  readonly failed: (error: unknown) => void;
}

export interface TogetherHow {
  /** So many in one call. */
  readonly most: number;
  /** So many calls beside each other. */
  readonly beside: number;
  /** Whether an error concerns all who asked: nobody is asked for alone then, since what was asked may have been done. */
  readonly isEverybodys?: (error: unknown) => boolean;
}

/**
 * Makes one call of many: whoever asks while calls are on their way is taken along by the next one. Nobody waits for others to
 * come, so that one alone is as quick as ever. Where a call of many fails, each of them is asked for alone, so that nobody
 * bears what is another's trouble. `run` answers in the order in which it was asked.
 */
export function together<One, Answer>(
  run: (all: readonly One[]) => Promise<readonly Answer[]>,
  { most, beside, isEverybodys = () => false }: TogetherHow,
): (one: One) => Promise<Answer> {
  const waiting: Waiting<One, Answer>[] = [];
  let running = 0;

  const ask = async (asked: readonly Waiting<One, Answer>[]): Promise<void> => {
    try {
      const answers = await run(asked.map(({ one }) => one));
      for (const [at, { answered }] of asked.entries()) answered(answers[at] as Answer);
    } catch (error) {
      if (asked.length === 1 || isEverybodys(error)) for (const { failed } of asked) failed(error);
      else await Promise.all(asked.map(async (each) => ask([each])));
    }
  };
  const goOn = async (): Promise<void> => {
    running += 1;
    while (waiting.length > 0) await ask(waiting.splice(0, most));
    running -= 1;
  };
  return async (one) =>
    new Promise<Answer>((answered, failed) => {
      waiting.push({ one, answered, failed });
      if (running < beside) void goOn();
    });
}
