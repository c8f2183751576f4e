import { transact } from "../ledger/database.ts";
import { changeVersions, setCurrent } from "../ledger/versions.ts";
import { turnOf } from "./issue.ts";
import { seeAccepted } from "./probe-rounds.ts";
import { effect, formerOf, valueOf, withIssuer } from "./reach.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

/** The previous version is the current one again. */
export async function demote({ deps, one }: StepScene): Promise<StepResult> {
  const { number } = formerOf(one);
  await transact(deps.ledger, async (trx) => setCurrent(trx, [{ credentialId: one.credentialId, version: number }]));
  return { does: "finish" };
}

/** Lets the previous version in again, and sees it accepted. */
export async function enable({ deps, one, turn, context }: StepScene): Promise<StepResult> {
  const former = formerOf(one);
  const { handle, operationKey, versionId } = former;
  const value = await valueOf(deps, one, former);
  await withIssuer(deps, one, context, async (session, { facts }) =>
    deps.scrubber.withHeld([value], async () => {
      if (session.enable === undefined) return;
      const request = { handle, operationKey, claim: turnOf(turn).claim, value };
      await effect("undo-enable", async () => session.enable?.(request));
      const rounds = { inRow: one.policy.answersInRow, signal: context.signal };
      await seeAccepted(session, facts, { handle, value }, rounds);
    }),
  );
  await changeVersions(deps.ledger.db, [{ versionId, state: "live" }]);
  return { does: "finish" };
}
