import { formerOf, effect, withIssuer } from "./reach.ts";
import { turnOf } from "./turn-of.ts";
import type { StepWork } from "./step-frame.ts";

/** Refuses the old version while it can still be restored; an issuer that cannot do that goes on without. */
export const disable: StepWork = async ({ deps, one, turn, context }) => {
  const { handle, operationKey, versionId } = formerOf(one);
  const { claim } = turnOf(turn);
  const isDisabled = await withIssuer(deps, one, context, async (session) => {
    if (session.disable === undefined) return false;
    await effect("disable", async () => session.disable?.({ handle, operationKey, claim }));
    return true;
  });
  return { does: "finish", versions: isDisabled ? [{ versionId, state: "disabled" }] : [] };
};
