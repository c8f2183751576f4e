import { RekeyError } from "../domain/errors.ts";
import { isOneSlot, withoutProof } from "../domain/order.ts";
import { printable } from "../domain/printable.ts";
import { lockRotations } from "../ledger/begin-steps.ts";
import { closeRotations } from "../ledger/close-rotations.ts";
import { transact } from "../ledger/database.ts";
import { giveUpProof } from "../ledger/give-up-proof.ts";
import { completeOperations, takeTurns } from "../ledger/operations.ts";
import { changeVersions, type VersionChange } from "../ledger/versions.ts";
import type { IssuerSession, ProbeAnswer } from "../providers/contract/issuer.ts";
import { waitOrHold } from "./ask-and-judge.ts";
import { turnOf } from "./turn-of.ts";
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
    const { handle, versionId } = former;
    const rounds = { inRow: one.policy.answersInRow, lagMs: facts.deactivationLagMs, signal: context.signal };
    const answer = await deps.scrubber.withHeld([value, control], async () =>
      probeInRow(session, { handle, value, control }, "refused", rounds),
    );
    if (answer.verdict === "refused") {
      // The control of each refusal is the candidate.
      deps.seenAccepted.note(one.to.versionId);
      return { does: "finish", versions: [provenDead(versionId, answer, rounds.inRow)] };
    }
    // A session that outlived the revocation can have set its login up again: it is ended once more.
    if (answer.verdict === "accepted" && !isOneSlot(one.order)) await revokeAgain(scene, session);
    return waitOrHold(scene, [deathGap(answer)], one.askedForMs);
  });
};

async function revokeAgain({ deps, one }: StepScene, session: IssuerSession): Promise<void> {
  const { rotationId } = one;
  const { handle, operationKey } = formerOf(one);
  // Beside the revocation that was recorded, which stays done.
  const intent = { rotationId, step: "revoke", target: "again" } as const;
  const [taken] = await transact(deps.ledger, async (trx) => takeTurns(trx, [intent]));
  const turn = turnOf(taken);
  const request = { handle, operationKey, claim: turn.claim };
  try {
    await session.revoke(request);
    await session.endSessions?.(request);
  } catch (error) {
    // In place the next version has its login: what is let in by the former value there is a person's to find out.
    if (!(error instanceof RekeyError) || error.code !== "handle_taken" || one.order !== "contain-in-place")
      throw error;
  }
  await transact(deps.ledger, async (trx) => completeOperations(trx, [turn]));
}

/** The version is dead, and on what that rests: the last of so many answers in a row. */
export function provenDead(versionId: string, { code, controls }: ProbeAnswer, inRow?: number): VersionChange {
  return { versionId, state: "proven-dead", proof: { code, controls: said(controls), inRow } };
}

/** Names and codes, never values: `the catalogue: ended; …`. */
const said = (controls: ProbeAnswer["controls"]): string =>
  controls.map(({ control, answer }) => `${printable(control)}: ${printable(answer)}`).join("; ");

export function deathGap({ verdict, code, controls, why }: ProbeAnswer) {
  const found =
    verdict === "accepted"
      ? "The issuer still accepts the version that was ended."
      : `Whether the version is dead cannot be said: the issuer's answer (${printable(code)}) does not mean that it was ended.`;
  const asked = controls.length === 0 ? "No control was asked." : `Controls: ${said(controls)}.`;
  const text = [found, ...(why === undefined ? [] : [why]), asked].join(" ");
  return { code: "death_unproven", key: "death_unproven", text } as const;
}

/**
 * A death that a person accepted without proof never passes through `proven`. Who was cut off before they had the new version
 * still gets it.
 */
async function closeUnproven({ deps, one }: StepScene, version: VersionChange): Promise<StepResult> {
  const next = withoutProof(one.order);
  if (next !== undefined) {
    const { rotationId, credentialId, phase, lookedAt } = one;
    const isTurned = await giveUpProof(deps.ledger, { rotationId, credentialId, phase, lookedAt, version, next });
    return isTurned ? { does: "answer", answer: { now: "again" } } : { does: "wait", waitMs: 0 };
  }
  await transact(deps.ledger, async (trx) => {
    await lockRotations(trx, [one.rotationId]);
    await changeVersions(trx, [version]);
    await closeRotations(trx, [{ rotationId: one.rotationId, outcome: "closed-unproven" }]);
  });
  return { does: "answer", answer: { now: "over" } };
}
