import { versionRef } from "../../custody/refs.ts";
import { OperatorNeededError, RekeyError } from "../../domain/errors.ts";
import { finishMove, readMoveCase } from "../../ledger/custody-moves.ts";
import type { CheckWork } from "../run-check.ts";

/** Moves the values of a credential to another place, one after the other. */
export const move: CheckWork = async ({ deps, check: { checkId } }) => {
  const found = await readMoveCase(deps.ledger.db, checkId);
  if (found === undefined) throw new OperatorNeededError("not_found", "The credential is gone. List what there is.");
  const { instance, credentialId, pool, to, requestedBy: actor } = found;
  for (const { versionId, number, hasValue } of found.versions) {
    const ref = versionRef({ instance, credentialId, number, versionId, pool });
    await untilAlone(async () =>
      deps.custody.move({ ref, to, actor, hasValue }, async (value, work) => deps.scrubber.withHeld([value], work)),
    );
  }
  await finishMove(deps.ledger, checkId, found);
  return "recorded";
};

/** How often another attempt at the same move may come between. */
const mostAttempts = 5;

/** An attempt that was thought dead may still be at work: whoever finds that goes on where the other has got to. */
async function untilAlone(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await work();
      return;
    } catch (error) {
      const isOvertaken = error instanceof RekeyError && error.code === "ledger_busy";
      if (!isOvertaken || attempt === mostAttempts) throw error;
    }
  }
}
