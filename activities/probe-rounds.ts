import { setTimeout as pause } from "node:timers/promises";
import { TransientError } from "../domain/errors.ts";
import type { IssuerFacts, IssuerSession, ProbeAnswer, ProbeRequest } from "../providers/contract/issuer.ts";

export interface ProbeRounds {
  /** "Works" and "dead" mean so many answers in a row. */
  readonly inRow: number;
  /** The rounds are spread over the issuer's lag. Milliseconds. */
  readonly lagMs: number;
  readonly signal: AbortSignal;
}

/** Asks until the same verdict came so many times in a row, or answers with the first that was another. */
export async function probeInRow(
  session: IssuerSession,
  request: ProbeRequest,
  wanted: ProbeAnswer["verdict"],
  { inRow, lagMs, signal }: ProbeRounds,
): Promise<ProbeAnswer> {
  let answer = await session.probe(request);
  for (let round = 1; round < inRow && answer.verdict === wanted; round += 1) {
    if (lagMs > 0) await pause(lagMs / (inRow - 1), undefined, { signal });
    answer = await session.probe(request);
  }
  return answer;
}

/** Between two askings while an issuer may still be telling its parts of a new version. Milliseconds. */
const newsMs = 1_000;

/** What an issuer says other than accepted within its lag is old news: it is asked again until that is over. */
export async function probeNew(
  session: IssuerSession,
  { activationLagMs }: IssuerFacts,
  request: ProbeRequest,
  rounds: ProbeRounds,
): Promise<ProbeAnswer> {
  const end = performance.now() + activationLagMs;
  let answer = await probeInRow(session, request, "accepted", rounds);
  while (answer.verdict !== "accepted" && performance.now() < end) {
    await pause(Math.min(newsMs, activationLagMs / 4), undefined, { signal: rounds.signal });
    answer = await probeInRow(session, request, "accepted", rounds);
  }
  return answer;
}

/**
 * Sees the candidate accepted, under controls.
 * @throws {TransientError} `candidate_refused` when it is not: it may take the issuer a while longer than it says.
 */
export async function seeAccepted(
  session: IssuerSession,
  facts: IssuerFacts,
  request: ProbeRequest,
  rounds: Omit<ProbeRounds, "lagMs">,
): Promise<void> {
  const answer = await probeNew(session, facts, request, { ...rounds, lagMs: facts.activationLagMs });
  if (answer.verdict === "accepted") return;
  if (answer.verdict === "refused")
    throw new TransientError("candidate_refused", `The issuer refuses the version (${answer.code}).${reason(answer)}`);
  throw new TransientError(
    "candidate_refused",
    `Whether the issuer accepts the version is not known (${answer.code}).${reason(answer)}`,
  );
}

/** What the issuer says about its answer, to go behind a sentence. */
export const reason = ({ why }: ProbeAnswer): string => (why === undefined ? "" : ` ${why}`);
