import { lastUseGap, type GuardUse, type GuardPurpose } from "../domain/guard.ts";
import { readMovedAgoMs, recordLastUses } from "../ledger/last-uses.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";
import type { IssuerFacts, IssuerSession, LastUses } from "../providers/contract/issuer.ts";
import { microsecondsOf } from "../providers/evidence/sessions/instant.ts";
import type { StepDeps } from "./step-deps.ts";

/** When a version was last used, where the issuer tells it; kept for people. Undefined where it tells nothing of the kind. */
export async function askLastUse(
  deps: StepDeps,
  { credentialId }: RotationCase,
  session: IssuerSession,
  handle: string | undefined,
): Promise<LastUses | undefined> {
  if (session.lastUses === undefined || handle === undefined) return undefined;
  const found = await session.lastUses([handle]);
  const told = Object.entries(found.lastUsed).map(([name, use]) => {
    return [name, { toldAt: found.at, at: use?.at ?? null, by: use?.by ?? null }] as const;
  });
  await recordLastUses(deps.ledger, credentialId, Object.fromEntries(told));
  return found;
}

interface Judged {
  readonly purpose: GuardPurpose;
  readonly handle: string | undefined;
  readonly expected: number;
  readonly consumers: readonly string[];
  readonly uses: LastUses | undefined;
}

/**
 * A use beside the time at which the last consumer had moved, both as time that has passed: the one by the issuer's clock,
 * the other by the ledger's, which are never compared.
 */
export async function useToJudge(
  deps: StepDeps,
  { rotationId }: RotationCase,
  { usage }: IssuerFacts,
  { purpose, handle = "", expected, consumers, uses }: Judged,
): Promise<GuardUse | undefined> {
  const use = uses?.lastUsed[handle];
  if (uses === undefined || use === undefined || use === null || usage.covers !== "last-used") return undefined;
  const asked = { rotationId, consumers, version: expected, gap: lastUseGap(purpose) };
  const movedAgoMs = await readMovedAgoMs(deps.ledger.db, asked);
  if (movedAgoMs === undefined) return undefined;
  // A time that cannot be read is no sign that it lies before.
  const agoMs = ((microsecondsOf(uses.at) ?? Number.NaN) - (microsecondsOf(use.at) ?? Number.NaN)) / 1_000;
  return { ...use, agoMs, movedAgoMs, grainMs: usage.grainMs, lateByMs: usage.lateByMs };
}
