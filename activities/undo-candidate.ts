import { lockRotations } from "../ledger/begin-steps.ts";
import { transact } from "../ledger/database.ts";
import { assertTurnStands } from "../ledger/operations.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";
import { changeVersions } from "../ledger/versions.ts";
import type { IssuerSession } from "../providers/contract/issuer.ts";
import { timesAfterReturn } from "../providers/evidence/sessions/one-slot.ts";
import { turnOf } from "./turn-of.ts";
import { seeAccepted } from "./probe-rounds.ts";
import { effect, formerOf, issuerOf, valueOf, withIssuer } from "./reach.ts";
import { endSessionsInRow } from "./revoke.ts";
import type { StepDeps } from "./step-deps.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

/**
 * Ends the candidate. One that was never chosen has nothing at the issuer that could be ended; one that the issuer makes
 * may be there although no answer named it, and is found there by its operation.
 */
export async function abandon({ deps, one, turn, context }: StepScene): Promise<StepResult> {
  const { handle, operationKey, versionId } = one.to;
  if (handle === undefined && !isMinted(deps, one)) return { does: "finish" };
  const request = { handle: handle ?? "", operationKey, claim: turnOf(turn).claim };
  await withIssuer(deps, one, context, async (session) => {
    await effect("undo-abandon", async () => session.abandon(request));
    // Whoever is still in was named to a person, who accepted that it breaks.
    if (handle !== undefined) await endSessionsInRow(session, request, one.policy.answersInRow, context.signal);
  });
  return { does: "finish", versions: [{ versionId, state: "ended" }] };
}

/** The issuer makes the value, so that the ledger may not know yet what there is. */
export const isMinted = (deps: StepDeps, { connection }: RotationCase): boolean =>
  issuerOf(deps, connection.kind).facts.chooser === "issuer";

/**
 * Puts the former value back into its only slot, which ends the candidate. Both versions are one login, so that only the
 * times at which they took turns tell later whose a session is.
 */
export async function cutBack(scene: StepScene): Promise<StepResult> {
  const { deps, one, turn, context } = scene;
  const former = formerOf(one);
  const { handle, operationKey, versionId } = one.to;
  if (handle === undefined) return { does: "finish" };
  const value = await valueOf(deps, one, former);
  const times = await withIssuer(deps, one, context, async (session, { facts }) =>
    deps.scrubber.withHeld([value], async () => {
      const candidate = await keepCutTime(scene, session, handle);
      const restored = { handle: former.handle, value };
      const { claim } = turnOf(turn);
      const request = { handle, operationKey, claim, restore: restored };
      const back = await effect("undo-cut-back", async () => session.abandon(request));
      const rounds = { inRow: one.policy.answersInRow, signal: context.signal };
      await seeAccepted(session, facts, restored, rounds);
      return timesAfterReturn({ candidate, former: former.effectiveAt }, back?.effectiveAt);
    }),
  );
  const ended = { versionId, state: "ended", ...effectiveAt(times.candidate) } as const;
  const back = { versionId: former.versionId, state: "live", ...effectiveAt(times.former) } as const;
  return { does: "finish", versions: [ended, back] };
}

const effectiveAt = (time: string | undefined) => (time === undefined ? {} : { effectiveAt: time });

/** Where the cut's answer was lost only the issuer knows its time, and forgets it when the former value is back. */
async function keepCutTime(scene: StepScene, session: IssuerSession, handle: string): Promise<string | undefined> {
  const { deps, one, turn } = scene;
  const { versionId, effectiveAt: known } = one.to;
  if (known !== undefined) return known;
  const found = (await session.list()).find((each) => each.handle === handle && each.ours)?.effectiveAt;
  if (found === undefined) return undefined;
  await transact(deps.ledger, async (trx) => {
    await lockRotations(trx, [one.rotationId]);
    await assertTurnStands(trx, turnOf(turn), "undo");
    await changeVersions(trx, [{ versionId, effectiveAt: found }]);
  });
  return found;
}
