import { RekeyError } from "../domain/errors.ts";
import type { CallOutcome, ProviderCalls } from "../ledger/provider-calls.ts";

/** What a worker has called since it was last asked. */
export interface CallCounts {
  note(kind: string, verb: string, outcome: CallOutcome): void;
  /** All of it, and begins anew. */
  take(): readonly ProviderCalls[];
  /** What was taken and could not be told. */
  giveBack(taken: readonly ProviderCalls[]): void;
}

export function createCallCounts(): CallCounts {
  let tallies = new Map<string, ProviderCalls>();
  const add = ({ kind, verb, outcome, calls }: ProviderCalls): void => {
    const key = `${kind}/${verb}/${outcome}`;
    tallies.set(key, { kind, verb, outcome, calls: (tallies.get(key)?.calls ?? 0) + calls });
  };
  return {
    note: (kind, verb, outcome) => add({ kind, verb, outcome, calls: 1 }),
    take() {
      const taken = [...tallies.values()];
      tallies = new Map();
      return taken;
    },
    giveBack: (taken) => taken.forEach(add),
  };
}

function outcomeOf(error: unknown): CallOutcome {
  return error instanceof RekeyError && error.code === "system_throttled" ? "throttled" : "failed";
}

/** Opening a session is a call too, where the kind asks somebody then. */
export async function countedOpen<Session>(
  open: () => Session | Promise<Session>,
  kind: string,
  counts: CallCounts,
): Promise<Session> {
  try {
    const session = await open();
    counts.note(kind, "open", "ok");
    return session;
  } catch (error) {
    counts.note(kind, "open", outcomeOf(error));
    throw error;
  }
}

/** The session of a provider, whose calls are counted by what came of them. An ability that it does not have stays absent. */
export function counted<Session extends object>(session: Session, kind: string, counts: CallCounts): Session {
  return new Proxy(session, {
    get(target, verb): unknown {
      const found: unknown = Reflect.get(target, verb, target);
      if (typeof found !== "function" || typeof verb !== "string" || verb === "close") return found;
      return (...given: unknown[]): unknown => {
        const answer: unknown = Reflect.apply(found, target, given);
        if (answer instanceof Promise)
          answer.then(
            () => counts.note(kind, verb, "ok"),
            (error: unknown) => counts.note(kind, verb, outcomeOf(error)),
          );
        return answer;
      };
    },
  });
}
