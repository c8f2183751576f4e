import type { VersionChange } from "../ledger/versions.ts";
import { lockRotations } from "../ledger/begin-steps.ts";
import { closeRotations } from "../ledger/close-rotations.ts";
import { transact } from "../ledger/database.ts";
import { takeTurns } from "../ledger/operations.ts";
import { changeVersions } from "../ledger/versions.ts";
import { waitOrHold } from "./ask-and-judge.ts";
import { turnOf } from "./issue.ts";
import { probeInRow } from "./probe-rounds.ts";
import { candidateOf, formerOf, valueOf, withIssuer } from "./reach.ts";
import type { StepResult, StepScene, StepWork } from "./step-frame.ts";

/** Sees the ended version refused, under controls, so many times in a row over the issuer's lag. */
export const prove: StepWork = async (scene) => {
  const { deps, one, context } = scene;
  const former = formerOf(one);
  if (one.acceptedUnproven) return closeUnproven(scene, { versionId: former.versionId, state: "accepted-unproven" });
  const value = await valueOf(deps, one, former);
  const control = await valueOf(deps, one, candidateOf(one));
  return withIssuer(deps, one, context, async (session, { facts }) => {
    const { handle, versionId, operationKey } = former;
    const rounds = { inRow: one.policy.answersInRow, lagMs: facts.deactivationLagMs, signal: context.signal };
    const answer = await deps.scrubber.withHeld([value, control], async () =>
      probeInRow(session, { handle, value, control }, "refused", rounds),
    );
    if (answer.verdict === "refused") return { does: "finish", versions: [{ versionId, state: "proven-dead" }] };
    // A session that outlived the revocation can have set its login up again: it is ended once more.
    if (answer.verdict === "accepted" && one.order === "overlap") {
      const { rotationId } = one;
      const [turn] = await transact(deps.ledger, async (trx) => takeTurns(trx, [{ rotationId, step: "revoke" }]));
      const request = { handle, operationKey, claim: turnOf(turn).claim };
      await session.revoke(request);
      await session.endSessions?.(request);
    }
    return waitOrHold(scene, [deathGap(answer.verdict, answer.code)], one.askedForMs);
  });
};

export function deathGap(verdict: string, code: string) {
  const why =
    verdict === "accepted"
      ? "The issuer still accepts the version that was ended."
      : `Whether the version is dead cannot be said: the issuer's answer (${code}) does not mean that it was ended.`;
  return { code: "death_unproven", key: "death_unproven", text: why } as const;
}

/** A death that a person accepted without proof never passes through `proven`. */
async function closeUnproven({ deps, one }: StepScene, version: VersionChange): Promise<StepResult> {
  await transact(deps.ledger, async (trx) => {
    await lockRotations(trx, [one.rotationId]);
    await changeVersions(trx, [version]);
    await closeRotations(trx, [{ rotationId: one.rotationId, outcome: "closed-unproven" }]);
  });
  return { does: "answer", answer: { now: "over" } };
}
