import { transact } from "../ledger/database.ts";
import { assertTurnStands, type Turn } from "../ledger/operations.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";
import type { IssuerSession, ListedVersion } from "../providers/contract/issuer.ts";
import type { StepDeps } from "./step-deps.ts";

/**
 * What this rotation made at the issuer and the ledger does not count on. Where the issuer cannot say who made a key,
 * each that is marked as the credential's and in nobody's books is one. `known`: handles that the ledger holds as living.
 */
export function leftoversAmong(
  listed: readonly ListedVersion[],
  { to }: Pick<RotationCase, "to">,
  known: readonly string[],
): readonly ListedVersion[] {
  return listed.filter(
    ({ handle, state, ours, operationKey = to.operationKey }) =>
      ours && state !== "ended" && operationKey === to.operationKey && !known.includes(handle),
  );
}

/**
 * Ends what a call left that reached the issuer twice, or landed after its attempt was given up: by its handle, and only
 * where the issuer itself says that this rotation made it.
 */
export async function endLeftovers(
  deps: StepDeps,
  one: RotationCase,
  session: IssuerSession,
  turn: Turn,
  candidate: string,
): Promise<void> {
  const { operationKey } = one.to;
  const listed = (await session.list()).filter((each) => each.operationKey === operationKey);
  const left = leftoversAmong(listed, one, [...one.keep, candidate]);
  if (left.length === 0) return;
  // What a newer attempt has made is no leftover: this one may not know of it.
  await transact(deps.ledger, async (trx) => assertTurnStands(trx, turn, "forward"));
  for (const { handle } of left) await session.revoke({ handle, operationKey, claim: turn.claim });
}
