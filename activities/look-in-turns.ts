import { asUnreachable } from "../ledger/database.ts";
import { RekeyError } from "../domain/errors.ts";
import type { Look } from "../domain/look.ts";
import type { ProviderContext } from "../providers/contract/context.ts";

export interface LookWork {
  readonly about: string;
  readonly look: (context: ProviderContext) => Promise<readonly Look[]>;
}

export interface LookTimes {
  /** For one look. */
  readonly lookMs: number;
  /** For all of them. */
  readonly endMs: number;
}

const atOnce = 8;

/** A few at once. One that takes too long is bad by that; what is not begun in time is said not to have been looked at. */
export async function inTurns(
  works: readonly LookWork[],
  { lookMs, endMs }: LookTimes,
  context: ProviderContext,
): Promise<readonly Look[]> {
  const end = performance.now() + endMs;
  const looks: (readonly Look[])[] = [];
  const queue = [...works.entries()];
  const takeOne = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const [place, work] = next;
      context.signal.throwIfAborted();
      looks[place] = performance.now() + lookMs > end ? [unlooked(work.about)] : await within(work, lookMs, context);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, takeOne));
  return looks.flat();
}

const unlooked = (about: string): Look => ({
  about,
  state: "warn",
  text: "Nobody looked: others took too long. Mend those, then ask again.",
  mend: "rekey doctor",
});

/** A look that hears no signal is left behind, so that one dead place cannot hold the answer. */
async function within({ about, look }: LookWork, lookMs: number, context: ProviderContext): Promise<readonly Look[]> {
  const own = new AbortController();
  const signal = AbortSignal.any([context.signal, own.signal]);
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => {
      resolve("late");
      own.abort();
    }, lookMs);
  });
  try {
    const looks = await Promise.race([look({ ...context, signal }), late]);
    if (looks !== "late") return looks;
    return [
      {
        about,
        state: "bad",
        text: `No answer within ${lookMs / 1_000} s. See that it runs and is reached from the worker.`,
      },
    ];
  } catch (error) {
    if (context.signal.aborted || asUnreachable(error) !== undefined) throw error;
    if (!(error instanceof RekeyError))
      context.log("doctor.unexpected", { about, error: error instanceof Error ? error.name : "" });
    const text = error instanceof RekeyError ? error.detail : "The look failed; the worker's log says more.";
    return [{ about, state: "bad", text }];
  } finally {
    clearTimeout(timer);
  }
}
