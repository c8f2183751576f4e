import { OperatorNeededError, TransientError } from "../domain/errors.ts";
import { transact } from "../ledger/database.ts";
import { completeOperations, takeTurns } from "../ledger/operations.ts";
import type { VersionCase } from "../ledger/rotation-cases.ts";
import type { IssuerSession, ProbeAnswer } from "../providers/contract/issuer.ts";
import type { Value } from "../providers/contract/value.ts";
import { probeInRow, reason } from "./probe-rounds.ts";
import { effect, formerOf, valueOf, withIssuer } from "./reach.ts";
import type { StepScene } from "./step-frame.ts";

type Scene = Pick<StepScene, "deps" | "one" | "context">;

/**
 * Sees a version accepted before a consumer gets it: since it was issued, anybody who is logged in by it can have given
 * it another password. What hurries takes it from the proof before, if that has just ended.
 * @throws {TransientError} `candidate_refused`: nothing was delivered.
 */
export async function seeWorks(scene: Scene, version: VersionCase): Promise<void> {
  const { deps, one, context } = scene;
  const { handle, number } = version;
  if (handle === undefined || (one.urgent && deps.seenAccepted.isFresh(version.versionId))) return;
  const value = await valueOf(deps, one, version);
  const answer = await withIssuer(deps, one, context, async (session) =>
    deps.scrubber.withHeld([value], async () => session.probe({ handle, value })),
  );
  if (answer.verdict === "accepted") return;
  throw new TransientError(
    "candidate_refused",
    `The issuer does not accept version ${number} of ${one.credentialName} any more (${answer.code}).${reason(answer)} Nothing was delivered. Find out who changed it there; then roll back, which makes nothing worse, and rotate anew.`,
  );
}

/**
 * Sees the former version accepted before the first consumer gets it back. Where it is not, its value is set again: the
 * ledger holds it as live, and whoever goes back needs it.
 * @throws {TransientError} `restore_failed` while it may pass, such as a full connection limit: nothing was delivered.
 * @throws {OperatorNeededError} `restore_failed` once it has been asked as often as the policy says.
 */
export async function seeFormerWorks(scene: Scene): Promise<void> {
  const { deps, one, context } = scene;
  const former = formerOf(one);
  const { handle } = former;
  const value = await valueOf(deps, one, former);
  await withIssuer(deps, one, context, async (session) =>
    deps.scrubber.withHeld([value], async () => {
      const ask = async (): Promise<ProbeAnswer> =>
        probeInRow(session, { handle, value }, "accepted", { inRow: 1, lagMs: 0, signal: context.signal });
      let answer = await ask();
      if (answer.verdict !== "accepted" && (await setAgain(scene, session, value))) answer = await ask();
      if (answer.verdict === "accepted") return;
      const Failure = one.attempts + 1 < one.policy.attempts ? TransientError : OperatorNeededError;
      throw new Failure(
        "restore_failed",
        `Version ${former.number} of ${one.credentialName} is not accepted by the issuer (${answer.code}), although its value was set again.${reason(answer)} Nothing was delivered: the consumers stay on version ${one.to.number}. Look at the login's access rules and settings at the issuer, then retry.`,
      );
    }),
  );
}

/** False where the issuer has no way to. */
async function setAgain({ deps, one }: Scene, session: IssuerSession, value: Value): Promise<boolean> {
  if (session.enable === undefined) return false;
  const { handle, operationKey } = formerOf(one);
  const { rotationId } = one;
  // Not the undo's own enable, which must not count as done by this.
  const [turn] = await transact(deps.ledger, async (trx) =>
    takeTurns(trx, [{ rotationId, step: "enable", target: "restore" }]),
  );
  if (turn === undefined) return false;
  const { claim } = turn;
  await effect("undo-enable", async () => session.enable?.({ handle, operationKey, claim, value }));
  await transact(deps.ledger, async (trx) => completeOperations(trx, [turn]));
  return true;
}
