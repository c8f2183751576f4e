import { PermanentError } from "../domain/errors.ts";
import type { Turn } from "../ledger/operations.ts";
import type { VersionChange } from "../ledger/versions.ts";
import type { IssuerDefinition, IssuerSession } from "../providers/contract/issuer.ts";
import { newValue, type NewValue } from "./new-value.ts";
import { seeAccepted } from "./probe-rounds.ts";
import { effect, refOf, withIssuer } from "./reach.ts";
import type { StepScene, StepWork } from "./step-frame.ts";

/** Makes the candidate beside the version in use, and sees it accepted. */
export const issue: StepWork = async (scene) => {
  const { deps, one, turn, context } = scene;
  return withIssuer(deps, one, context, async (session, definition) => {
    const prepared =
      definition.facts.chooser === "rekey" ? await newValue(deps, one, session, definition, turnOf(turn)) : undefined;
    return { does: "finish", versions: [await putInForce(scene, session, definition, prepared)] };
  });
};

/** Puts the new value into custody, without any issuer hearing of it: a single slot is cut only when all is ready. */
export const stage: StepWork = async ({ deps, one, turn, context }) =>
  withIssuer(deps, one, context, async (session, definition) => {
    await newValue(deps, one, session, definition, turnOf(turn));
    return { does: "finish" };
  });

/** Sets the staged value in place of the former one. From here the consumers are out until they have the new one. */
export const cut: StepWork = async (scene) => {
  const { deps, one, turn, context } = scene;
  return withIssuer(deps, one, context, async (session, definition) => {
    const prepared = await newValue(deps, one, session, definition, turnOf(turn));
    return { does: "finish", versions: [await putInForce(scene, session, definition, prepared)] };
  });
};

async function putInForce(
  { deps, one, turn, context }: StepScene,
  session: IssuerSession,
  definition: IssuerDefinition,
  prepared: NewValue | undefined,
): Promise<VersionChange> {
  const { operationKey, versionId } = one.to;
  const { claim } = turnOf(turn);
  const request = { operationKey, claim, keep: one.keep, handle: prepared?.handle ?? "" };
  const made = await effect(one.order === "single-slot" ? "cut" : "issue", async () =>
    session.issue(prepared === undefined ? request : { ...request, chosen: prepared.value }),
  );
  // A minted value exists nowhere else: it rests in custody before anything is asked of it.
  const value = prepared?.value ?? (await deps.custody.putIfAbsent(refOf(one, one.to), made.value));
  const { signal } = context;
  await deps.scrubber.withHeld([value], async () =>
    seeAccepted(session, definition.facts, { handle: made.handle, value }, { inRow: one.policy.answersInRow, signal }),
  );
  return { versionId, state: "live", handle: made.handle, effectiveAt: made.effectiveAt };
}

/** The turn of a step that acts outside. Without one it must not act. */
export function turnOf(turn: Turn | undefined): Turn {
  if (turn === undefined) throw new PermanentError("internal", "A step acts outside without a turn.");
  return turn;
}
