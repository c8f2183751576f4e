import { setTimeout as sleep } from "node:timers/promises";
import type { Aws } from "./aws.ts";
import { failureOf, isContended, isThrottling, nameOf, type AwsCall } from "./api-error.ts";
import { NotAnswered, type Exchange, type Via } from "./over-egress.ts";

const mostTries = 5;
const firstWaitMs = 100;

/** Nothing was done, so that asking again is harmless. */
function isWorthAsking(error: unknown, { hasEffect = false }: AwsCall, exchange: Exchange): boolean {
  if (isThrottling(error, exchange) || isContended(error)) return true;
  return !hasEffect && !(error instanceof NotAnswered) && (exchange.status ?? 0) >= 500;
}

export interface Answered<T> {
  readonly answer: T;
  /** The service's own clock, ISO 8601; absent where it says none. */
  readonly at?: string;
}

/**
 * One call of the SDK, with its failures in our words. Calls that are throttled or met another change are asked again, a few
 * times: AWS has done nothing then. A call with an effect whose answer is missing is not: whoever asked has to look first.
 *
 * `expected` are AWS's names of refusals that are an answer: undefined is returned for them.
 */
export async function askWithTime<T>(
  aws: Aws,
  call: AwsCall,
  send: (via: Via) => Promise<T>,
  expected: readonly string[] = [],
): Promise<Answered<T | undefined>> {
  const { signal } = aws.context;
  for (let tries = 1; ; tries++) {
    signal.throwIfAborted();
    const exchange: Exchange = {};
    try {
      const answer = await send({ abortSignal: signal, exchange });
      return { answer, ...atOf(exchange) };
    } catch (error) {
      signal.throwIfAborted();
      if (expected.includes(nameOf(error))) return { answer: undefined, ...atOf(exchange) };
      if (tries === mostTries || !isWorthAsking(error, call, exchange))
        throw failureOf(error, call, aws.codes, exchange);
      // Spread, so that callers that were refused together do not come back together.
      await sleep(firstWaitMs * 2 ** (tries - 1) * (0.5 + Math.random()), undefined, { signal });
    }
  }
}

function atOf({ date }: Exchange): { readonly at?: string } {
  const ms = Date.parse(date ?? "");
  return Number.isNaN(ms) ? {} : { at: new Date(ms).toISOString() };
}

export async function ask<T>(aws: Aws, call: AwsCall, send: (via: Via) => Promise<T>): Promise<T> {
  // Nothing is expected to be refused, so that undefined is nothing but what was answered.
  return (await askWithTime(aws, call, send)).answer as T;
}

/** Undefined where AWS answers with one of these refusals. */
export async function askUnless<T>(
  aws: Aws,
  call: AwsCall,
  refusals: readonly string[],
  send: (via: Via) => Promise<T>,
): Promise<T | undefined> {
  return (await askWithTime(aws, call, send, refusals)).answer;
}
