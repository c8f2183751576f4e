import { turnOf } from "./turn-of.ts";
import { seeAccepted } from "./probe-rounds.ts";
import { effect, formerOf, refOf, withIssuer } from "./reach.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

/** The previous version is the current one again. */
export async function demote({ one }: StepScene): Promise<StepResult> {
  return { does: "finish", current: { credentialId: one.credentialId, version: formerOf(one).number } };
}

/**
 * Lets the previous version in again, and sees it accepted. Without its value, which custody has lost, it comes back with
 * the one it had, and nobody can see that: better than a login that stays shut.
 */
export async function enable({ deps, one, turn, context }: StepScene): Promise<StepResult> {
  const former = formerOf(one);
  const { handle, operationKey, versionId } = former;
  const value = await deps.custody.get(refOf(one, former));
  await withIssuer(deps, one, context, async (session, { facts }) =>
    deps.scrubber.withHeld(value === undefined ? [] : [value], async () => {
      if (session.enable === undefined) return;
      const request = { handle, operationKey, claim: turnOf(turn).claim };
      await effect("undo-enable", async () => session.enable?.(value === undefined ? request : { ...request, value }));
      const rounds = { inRow: one.policy.answersInRow, signal: context.signal };
      if (value !== undefined) await seeAccepted(session, facts, { handle, value }, rounds);
    }),
  );
  return { does: "finish", versions: [{ versionId, state: "live" }] };
}
