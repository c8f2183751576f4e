import { turnOf } from "./issue.ts";
import { seeAccepted } from "./probe-rounds.ts";
import { effect, formerOf, valueOf, withIssuer } from "./reach.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

/** The previous version is the current one again. */
export async function demote({ one }: StepScene): Promise<StepResult> {
  return { does: "finish", current: { credentialId: one.credentialId, version: formerOf(one).number } };
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
  return { does: "finish", versions: [{ versionId, state: "live" }] };
}
