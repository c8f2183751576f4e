import { TransientError } from "../domain/errors.ts";
import { contains, isOneSlot } from "../domain/order.ts";
import type { VersionChange } from "../ledger/versions.ts";
import type { IssuerDefinition, IssuerSession } from "../providers/contract/issuer.ts";
import { isRoomMissing, makeRoom } from "./full-slots.ts";
import { endOwnLogins } from "./own-logins.ts";
import { mintedValue, type MintedValue } from "./minted-value.ts";
import { newValue, type NewValue } from "./new-value.ts";
import { seeAccepted } from "./probe-rounds.ts";
import { effect, formerOf, withIssuer } from "./reach.ts";
import { endSessionsInRow } from "./revoke.ts";
import type { StepScene, StepWork } from "./step-frame.ts";
import { turnOf } from "./turn-of.ts";

/** Makes the candidate beside the version in use, and sees it accepted. */
export const issue: StepWork = async (scene) => {
  try {
    return await issueBeside(scene);
  } catch (error) {
    const room = isRoomMissing(error) ? await makeRoom(scene) : undefined;
    if (room === undefined) throw error;
    return room;
  }
};

const issueBeside: StepWork = async (scene) => {
  const { deps, one, turn, context } = scene;
  return withIssuer(deps, one, context, async (session, definition) => {
    if (definition.facts.chooser === "rekey") {
      const prepared = await newValue(deps, one, session, definition, turnOf(turn));
      const accepted = await putInForce(scene, session, definition, prepared);
      await endLateSessions(scene, session);
      return { does: "finish", versions: [accepted] };
    }
    const minted = await mintedValue(deps, one, session, definition, turnOf(turn));
    const accepted = await seenAccepted(scene, session, definition, minted);
    await endOwnLogins(scene, turnOf(turn), session, minted.handle);
    await endLateSessions(scene, session);
    return { does: "finish", versions: [accepted] };
  });
};

/**
 * In place the login that was refused is let in again, and with it whoever had begun to log in by the former value before that
 * was ended.
 */
async function endLateSessions({ one, turn, context }: StepScene, session: IssuerSession): Promise<void> {
  if (one.order !== "contain-in-place") return;
  const { handle, operationKey } = formerOf(one);
  const request = { handle, operationKey, claim: turnOf(turn).claim };
  const left = await endSessionsInRow(session, request, one.policy.answersInRow, context.signal);
  if (left > 0) throw new TransientError("still_in_use", `Sessions that come back after they were ended: ${left}.`);
}

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
  scene: StepScene,
  session: IssuerSession,
  definition: IssuerDefinition,
  { handle, value }: NewValue,
): Promise<VersionChange> {
  const { one, turn } = scene;
  const { operationKey } = one.to;
  const { claim } = turnOf(turn);
  const made = await effect(isOneSlot(one.order) ? "cut" : "issue", async () =>
    session.issue({ operationKey, claim, keep: one.keep, handle, chosen: value }),
  );
  return seenAccepted(scene, session, definition, { handle: made.handle, value, effectiveAt: made.effectiveAt });
}

async function seenAccepted(
  { deps, one, context: { signal } }: StepScene,
  session: IssuerSession,
  { facts }: IssuerDefinition,
  { handle, value, effectiveAt }: MintedValue,
): Promise<VersionChange> {
  await deps.scrubber.withHeld([value], async () =>
    seeAccepted(
      session,
      facts,
      { handle, value },
      { inRow: contains(one.order) ? 1 : one.policy.answersInRow, signal },
    ),
  );
  const { versionId } = one.to;
  return { versionId, state: "live", handle, ...(effectiveAt === undefined ? {} : { effectiveAt }) };
}
