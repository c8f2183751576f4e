import { transact } from "../ledger/database.ts";
import { assertTurnStands, type Turn } from "../ledger/operations.ts";
import type { IssuerSession } from "../providers/contract/issuer.ts";
import type { StepScene } from "./step-frame.ts";

/**
 * Until a candidate is delivered nobody else has its value: whoever is logged in with it is rekey itself, by a look whose
 * answer was lost. Left there, it would count as a user of the candidate, which an undo asks a person about. Only those are
 * ended that were there while this attempt had the turn: whoever comes later may be a consumer.
 */
export async function endOwnLogins(
  { deps, one }: Pick<StepScene, "deps" | "one">,
  turn: Turn,
  session: IssuerSession,
  handle: string,
): Promise<void> {
  if (session.usage === undefined || session.endSessions === undefined) return;
  const { sessions } = await session.usage([handle]);
  const started = (sessions[handle] ?? []).map(({ startedAt }) => Date.parse(startedAt));
  if (started.length === 0) return;
  await transact(deps.ledger, async (trx) => assertTurnStands(trx, turn, "forward"));
  const before = new Date(Math.max(...started) + 1).toISOString();
  await session.endSessions({ handle, operationKey: one.to.operationKey, claim: turn.claim, before });
}
