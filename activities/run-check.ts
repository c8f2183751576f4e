import { versionRef } from "../custody/refs.ts";
import { OperatorNeededError, RekeyError, TransientError } from "../domain/errors.ts";
import type { StepAnswer } from "../domain/standing.ts";
import { adoptVersion, failCheck, readCheckCase, type CheckCase } from "../ledger/check-cases.ts";
import { asUnreachable } from "../ledger/database.ts";
import type { IssuerSession, PreflightRequest } from "../providers/contract/issuer.ts";
import { Secret } from "../providers/contract/secret.ts";
import { probeInRow, reason } from "./probe-rounds.ts";
import { withIssuer } from "./reach.ts";
import type { StepDeps } from "./step-deps.ts";
import { contextFor } from "./step-frame.ts";

/** Looks outside once on somebody's request. What was found, trouble included, is the check's answer. */
export async function runCheck(deps: StepDeps, checkId: string, signal: AbortSignal): Promise<StepAnswer> {
  const check = await readCheckCase(deps.ledger.db, checkId);
  if (check?.state !== "pending") return { now: "over" };
  try {
    await adopt(deps, check, signal);
  } catch (error) {
    if (signal.aborted || asUnreachable(error) !== undefined) throw error;
    const known = error instanceof RekeyError ? error : undefined;
    if (known === undefined) deps.log("check.unexpected", { error: error instanceof Error ? (error.stack ?? "") : "" });
    const { code, detail } = known ?? new TransientError("internal", "The worker's log says more.");
    await failCheck(deps.ledger, check, [{ code, detail }]);
  }
  return { now: "over" };
}

/** Logs in with today's value, under controls, and takes it as version 1. */
async function adopt(deps: StepDeps, check: CheckCase, signal: AbortSignal): Promise<void> {
  const { instance, credentialId, credentialName, config, connection, version } = check;
  const { versionId, number } = version;
  const value = await deps.custody.get(
    versionRef({ instance, credentialId, number, versionId, pool: connection.pool }),
  );
  if (value === undefined)
    throw new OperatorNeededError(
      "custody_missing",
      `The value that was given for ${credentialName} is not in custody. Give it again: \`rekey credential adopt ${credentialName} --username LOGIN\`.`,
    );
  await withIssuer(deps, check, contextFor(deps, signal), async (session, definition) => {
    const identity = await session.identify();
    const handle = definition.handleOf(definition.configSchema.parse(config), value, number);
    const answer = await deps.scrubber.withHeld([value], async () =>
      probeInRow(session, { handle, value }, "accepted", { inRow: 1, lagMs: 0, signal }),
    );
    if (answer.verdict !== "accepted")
      throw new OperatorNeededError(
        "candidate_refused",
        answer.verdict === "refused"
          ? `The issuer refuses the value (${answer.code}). Nothing was changed. Give the one that works today.`
          : `Whether the issuer accepts the value cannot be said (${answer.code}).${reason(answer)} Nothing was changed. Look at the issuer, then adopt again.`,
      );
    await deps.scrubber.withHeld([value], async () => findUnprovable(session, check, { handle, value }));
    const authenticator = value[definition.authenticator];
    const fingerprint = authenticator instanceof Secret ? deps.fingerprints.of(authenticator) : undefined;
    const change = { versionId, handle, ...(fingerprint === undefined ? {} : { fingerprint }) };
    await adoptVersion(deps.ledger, check, { identity, version: change });
  });
}

/** What is asked of the issuer later, it must be able to answer at all. The rest is the business of a preflight. */
async function findUnprovable(
  session: IssuerSession,
  { instance, credentialId: credential }: CheckCase,
  former: NonNullable<PreflightRequest["former"]>,
): Promise<void> {
  const found = await session.preflight({ live: [former.handle], instance, credential, former });
  const unfit = found.find(({ code }) => code === "transport_unverified" || code === "value_unfit");
  if (unfit === undefined) return;
  const { code, detail, mend } = unfit;
  throw new OperatorNeededError(code, mend === undefined ? detail : `${detail}\n${mend}`);
}
