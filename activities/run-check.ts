import { checkSecretRef } from "../custody/refs.ts";
import type { CheckKind } from "../domain/check.ts";
import { OperatorNeededError, PermanentError, RekeyError, TransientError } from "../domain/errors.ts";
import type { StepAnswer } from "../domain/standing.ts";
import { finishCheck, readCheck, recordSecretDestroyed, type Check, type CheckOutcome } from "../ledger/checks.ts";
import { asUnreachable, transact } from "../ledger/database.ts";
import type { ProviderContext } from "../providers/contract/context.ts";
import type { Value } from "../providers/contract/value.ts";
import { adopt } from "./checks/adopt.ts";
import { consumerTest } from "./checks/consumer-test.ts";
import { init } from "./checks/init.ts";
import { doctor } from "./checks/doctor.ts";
import { move } from "./checks/move.ts";
import { noticeTest } from "./checks/notice-test.ts";
import { receipt } from "./checks/receipt.ts";
import type { StepDeps } from "./step-deps.ts";
import { contextFor } from "./step-frame.ts";

export interface CheckScene {
  readonly deps: StepDeps;
  readonly check: Check;
  readonly context: ProviderContext;
  /** The secret that was given for this check alone. Logs are watched for it while the check runs. */
  readonly secret?: Value;
}

/** What a check does outside. `recorded`: its answer lies in the ledger already, with what followed from it. */
export type CheckWork = (scene: CheckScene) => Promise<CheckOutcome | "recorded">;

const works: Readonly<Record<CheckKind, CheckWork>> = {
  adopt,
  doctor,
  init,
  "consumer-test": consumerTest,
  move,
  "notice-test": noticeTest,
  receipt,
};

/**
 * Looks outside once on somebody's request. What was found, trouble included, is the check's answer. A secret that was
 * given for it is destroyed once it has one, or once it has waited for too long; whoever is interrupted here does that
 * when the check is taken up again, which it is for as long as its secret is there.
 */
export async function runCheck(
  deps: StepDeps,
  checkId: string,
  signal: AbortSignal,
  all: Readonly<Partial<Record<CheckKind, CheckWork>>> = works,
): Promise<StepAnswer> {
  const check = await readCheck(deps.ledger.db, "everything", checkId);
  if (check === undefined || (check.secret === "awaited" && !check.isExpired)) return { now: "over" };
  if (check.state === "pending") await answer(deps, check, contextFor(deps, signal), all[check.kind]);
  if (check.secret === "awaited" || check.secret === "held") {
    await deps.custody.forget(checkSecretRef(check, check.instance));
    await recordSecretDestroyed(deps.ledger, check);
  }
  return { now: "over" };
}

async function answer(deps: StepDeps, check: Check, context: ProviderContext, work?: CheckWork): Promise<void> {
  const outcome = await outcomeOf(deps, check, context, work);
  if (outcome !== "recorded") await transact(deps.ledger, async (trx) => finishCheck(trx, check.checkId, outcome));
}

async function outcomeOf(
  deps: StepDeps,
  check: Check,
  context: ProviderContext,
  work?: CheckWork,
): Promise<CheckOutcome | "recorded"> {
  try {
    if (work === undefined)
      throw new PermanentError(
        "internal",
        `This worker knows no check "${check.kind}". Run the release that asks for it.`,
      );
    const secret = await secretOf(deps, check);
    if (secret === undefined) return await work({ deps, check, context });
    return await deps.scrubber.withHeld([secret], async () =>
      withoutSecret(deps, await work({ deps, check, context, secret })),
    );
  } catch (error) {
    if (context.signal.aborted || asUnreachable(error) !== undefined) throw error;
    const known = error instanceof RekeyError ? error : undefined;
    if (known === undefined) deps.log("check.unexpected", { error: error instanceof Error ? (error.stack ?? "") : "" });
    const { code, detail } = known ?? new TransientError("internal", "The worker's log says more.");
    return { ok: false, findings: [{ code, detail }] };
  }
}

async function secretOf(deps: StepDeps, check: Check): Promise<Value | undefined> {
  if (check.isExpired)
    throw new OperatorNeededError("check_expired", "The secret that came with it was destroyed, unused. Ask again.");
  if (check.secret === null) return undefined;
  const secret = await deps.custody.get(checkSecretRef(check, check.instance));
  if (secret === undefined)
    throw new OperatorNeededError("custody_missing", "The secret that came with it is gone. Ask again.");
  return secret;
}

/** An answer is stored for people to read: one that has the secret in it is a defect, and is not. */
function withoutSecret({ scrubber }: StepDeps, outcome: CheckOutcome | "recorded"): CheckOutcome | "recorded" {
  const text = JSON.stringify(outcome);
  if (scrubber.scrub(text) !== text)
    throw new PermanentError("internal", "What the check found had the secret in it. It was not stored.");
  return outcome;
}
