import { turnOf } from "./issue.ts";
import { seeAccepted } from "./probe-rounds.ts";
import { effect, formerOf, valueOf, withIssuer } from "./reach.ts";
import { endSessionsInRow } from "./revoke.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

/** Ends the candidate. One that was never chosen has nothing at the issuer that could be ended. */
export async function abandon({ deps, one, turn, context }: StepScene): Promise<StepResult> {
  const { handle, operationKey, versionId } = one.to;
  if (handle === undefined) return { does: "finish" };
  const request = { handle, operationKey, claim: turnOf(turn).claim };
  await withIssuer(deps, one, context, async (session) => {
    await effect("undo-abandon", async () => session.abandon(request));
    // Whoever is still in was named to a person, who accepted that it breaks.
    await endSessionsInRow(session, request, one.policy.answersInRow, context.signal);
  });
  return { does: "finish", versions: [{ versionId, state: "ended" }] };
}

/** Puts the former value back into its only slot, which ends the candidate. */
export async function cutBack({ deps, one, turn, context }: StepScene): Promise<StepResult> {
  const former = formerOf(one);
  const { handle, operationKey, versionId } = one.to;
  if (handle === undefined) return { does: "finish" };
  const value = await valueOf(deps, one, former);
  const effectiveAt = await withIssuer(deps, one, context, async (session, { facts }) =>
    deps.scrubber.withHeld([value], async () => {
      const restored = { handle: former.handle, value };
      const { claim } = turnOf(turn);
      const request = { handle, operationKey, claim, restore: restored };
      const back = await effect("undo-cut-back", async () => session.abandon(request));
      const rounds = { inRow: one.policy.answersInRow, signal: context.signal };
      await seeAccepted(session, facts, restored, rounds);
      return back?.effectiveAt;
    }),
  );
  const back = {
    versionId: former.versionId,
    state: "live",
    ...(effectiveAt === undefined ? {} : { effectiveAt }),
  } as const;
  return { does: "finish", versions: [{ versionId, state: "ended" }, back] };
}
