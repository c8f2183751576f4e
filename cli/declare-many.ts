import { ApiError, type Answer, type Client, type Request } from "../api/client.ts";
import { tellOf } from "./cli-error.ts";
import { printable } from "./table.ts";
import { wrap } from "./wrap.ts";

export type Affected = Answer<"previewEmergency">["affected"][number];
export type Demand = Omit<Request<"declareEmergency">["body"], "credentials" | "reason">;

/** One declaration: of which credentials, and what is asked of them. */
export interface Wish {
  readonly which: { readonly credentials: string[] } | { readonly labels: string };
  readonly demand: Demand;
  /** What to call it where nothing is known of it. */
  readonly called: string;
}

/** What a preview told, and would be declared. */
export interface Plan {
  readonly demand: Demand;
  readonly affected: readonly Affected[];
}

/** A credential that was not declared, or of which that is not known. */
export interface Missed {
  readonly credentialId: string | null;
  readonly credential: string;
  readonly code: string;
  readonly why: string;
  readonly next: string;
}

/** A call with so few is over long before it is given up; where one is lost, no more than these are in doubt. */
const atOnce = 20;

/** The preview of every wish. Of several one that is refused keeps none of the others back; one alone is refused as it is. */
export async function previewAll(
  client: Client,
  wishes: readonly Wish[],
  reason: string,
): Promise<{ readonly plans: readonly Plan[]; readonly missed: readonly Missed[] }> {
  const plans: Plan[] = [];
  const missed: Missed[] = [];
  const ask = async (which: Wish["which"], demand: Demand) =>
    client.call("previewEmergency", { body: { ...which, ...demand, reason } });
  for (const { which, demand, called } of wishes) {
    try {
      const { affected, missed: some = [] } = await ask(which, demand);
      plans.push({ demand, affected });
      // Those whose turn did not come in one call are asked for in several.
      const late = some.filter(({ code }) => code === isLate).map(({ credentialId }) => credentialId);
      missed.push(...some.filter(({ code }) => code !== isLate).map(asMissed));
      for (const credentials of inCalls(late)) {
        const more = await ask({ credentials }, demand);
        plans.push({ demand, affected: more.affected });
        missed.push(...(more.missed ?? []).map(asMissed));
      }
    } catch (error) {
      if (wishes.length === 1 || isUnanswered(error) || !(error instanceof ApiError)) throw error;
      missed.push({ ...whyOf(error), credentialId: null, credential: called });
    }
  }
  return { plans, missed };
}

const isLate = "ledger_busy";

interface Given {
  readonly reason: string;
  readonly signal: AbortSignal;
}

/**
 * Declares what the previews told of, few at a time, and tells after each call what is declared. A call that fails keeps none
 * of the others back, until two in a row are not answered. Throws where nothing was declared, for one reason.
 */
export async function declareAll(
  client: Client,
  plans: readonly Plan[],
  { reason, signal }: Given,
  tell: (declared: readonly Affected[]) => void,
): Promise<{ readonly declared: readonly Affected[]; readonly missed: readonly Missed[] }> {
  const calls = plans.flatMap(({ demand, affected }) =>
    inCalls(affected.filter(({ how }) => how !== "dead")).map((some) => ({ demand, some })),
  );
  const declared: Affected[] = [];
  const missed: Missed[] = [];
  const errors: unknown[] = [];
  let unanswered = 0;
  for (const { demand, some } of calls) {
    const all = some.map(({ credentialId, credential }) => ({ credentialId, credential }));
    if (unanswered >= 2 || signal.aborted) {
      missed.push(...all.map((one) => ({ ...one, ...notAsked })));
      continue;
    }
    try {
      const credentials = all.map(({ credentialId }) => credentialId);
      const answer = await client.call("declareEmergency", { body: { credentials, reason, ...demand } });
      unanswered = 0;
      declared.push(...answer.affected);
      tell(answer.affected);
      for (const one of answer.missed ?? [])
        missed.push({ ...asMissed(one), ...all.find(({ credentialId }) => credentialId === one.credentialId) });
    } catch (error) {
      const isLost = signal.aborted || isUnanswered(error);
      unanswered = isLost ? unanswered + 1 : 0;
      if (!isLost) errors.push(error);
      missed.push(...all.map((one) => ({ ...one, ...(isLost ? inDoubt : whyOf(error)) })));
    }
  }
  const isForOneReason = errors.length === calls.length && new Set(missed.map(({ why }) => why)).size === 1;
  if (declared.length === 0 && isForOneReason) throw errors[0];
  return { declared, missed };
}

function inCalls<T>(all: readonly T[]): readonly T[][] {
  return Array.from({ length: Math.ceil(all.length / atOnce) }, (_, at) => all.slice(at * atOnce, (at + 1) * atOnce));
}

const isUnanswered = (error: unknown): boolean => error instanceof ApiError && error.problem.code === "api_unreachable";

type Why = Pick<Missed, "code" | "why" | "next">;

const notAsked: Why = {
  code: "not_asked",
  why: "Nothing was asked for it any more.",
  next: "Declare it once the API answers: `rekey doctor` looks at everything.",
};

const inDoubt: Why = {
  code: "api_unreachable",
  why: "The API did not answer: it may be declared, or not.",
  next: "Look: rekey emergency list --open. To declare it a second time does no harm.",
};

function whyOf(error: unknown): Why {
  const { code, title, detail, next } = tellOf(error);
  return { code, why: detail === "" ? `${title}.` : `${title}. ${detail}`, next };
}

type Told = NonNullable<Answer<"declareEmergency">["missed"]>[number];

function asMissed({ credentialId, credential, code, title, detail, next }: Told): Missed {
  return { credentialId, credential: credential ?? credentialId, code, why: `${title}. ${detail}`, next };
}

/** Which were not declared, by what was met, and what to do. None: nothing. */
export function missedLines(missed: readonly Missed[], head: string): readonly string[] {
  const groups = Map.groupBy(missed, ({ why, next }) => `${why} ${next}`);
  return [...groups.values()].flatMap((some) => {
    const [{ code, why, next }] = some as [Missed, ...Missed[]];
    return [
      `${code === inDoubt.code ? "IN DOUBT" : head} (${some.length}):`,
      ...wrap(some.map(({ credential }) => credential).join(", "), "  "),
      ...wrap(printable(why), "    "),
      ...wrap(`Next: ${printable(next)}`, "    "),
    ];
  });
}
