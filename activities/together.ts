import pLimit from "p-limit";

interface Waiting<One, Answer> {
  readonly one: One;
  readonly answered: (answer: Answer) => void;
  readonly failed: (error: unknown) => void;
}

export interface TogetherHow<One> {
  /** So many in one call. */
  readonly most: number;
  /** So many calls beside each other, and so many of those that are waited for. */
  readonly beside: number;
  /** Two of one key are never in one call. */
  readonly keyOf: (one: One) => string;
  /** Whether an error concerns all who asked: nobody is asked for alone then, since what was asked may have been done. */
  readonly isEverybodys: (error: unknown) => boolean;
  /** Whether it only says that somebody else was busy with one of them. */
  readonly isBusy: (error: unknown) => boolean;
}

/**
 * Makes one call of many: whoever asks while calls are on their way is taken along by the next one. Nobody waits for others to
 * come, so that one alone is as quick as ever. Where a call of many fails, each of them is asked for alone, so that nobody
 * bears what is another's trouble; and one that somebody else is busy with is waited for beside the calls of all others.
 * `run` answers in the order in which it was asked.
 */
export function together<One, Answer>(
  run: (all: readonly One[], mayWait: boolean) => Promise<readonly Answer[]>,
  { most, beside, keyOf, isEverybodys, isBusy }: TogetherHow<One>,
): (one: One) => Promise<Answer> {
  let waiting: readonly Waiting<One, Answer>[] = [];
  let running = 0;
  const patiently = pLimit(beside);

  const ask = async (asked: readonly Waiting<One, Answer>[]): Promise<void> => {
    try {
      const answers = await run(
        asked.map(({ one }) => one),
        false,
      );
      for (const [at, { answered }] of asked.entries()) answered(answers[at] as Answer);
    } catch (error) {
      const [only] = asked;
      if (isEverybodys(error)) for (const { failed } of asked) failed(error);
      else if (asked.length > 1) for (const each of asked) await ask([each]);
      else if (only !== undefined && isBusy(error)) waitFor(only);
      else only?.failed(error);
    }
  };
  const waitFor = ({ one, answered, failed }: Waiting<One, Answer>): void => {
    void patiently(async () => run([one], true)).then(([answer]) => answered(answer as Answer), failed);
  };
  const next = (): readonly Waiting<One, Answer>[] => {
    const taken = new Map<string, Waiting<One, Answer>>();
    for (const each of waiting) {
      const key = keyOf(each.one);
      if (taken.size < most && !taken.has(key)) taken.set(key, each);
    }
    const batch = [...taken.values()];
    waiting = waiting.filter((each) => !batch.includes(each));
    return batch;
  };
  const goOn = async (): Promise<void> => {
    running += 1;
    while (waiting.length > 0) await ask(next());
    running -= 1;
  };
  return async (one) =>
    new Promise<Answer>((answered, failed) => {
      waiting = [...waiting, { one, answered, failed }];
      if (running < beside) void goOn();
    });
}
