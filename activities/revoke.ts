import { setTimeout as pause } from "node:timers/promises";
import type { EffectRequest, IssuerSession } from "../providers/contract/issuer.ts";
import { waitOrHold } from "./ask-and-judge.ts";
import { turnOf } from "./turn-of.ts";
import { effect, formerOf, withIssuer } from "./reach.ts";
import type { StepResult, StepScene, StepWork } from "./step-frame.ts";

/** Ends the old version by its exact handle, and its sessions until none is seen any more. */
export const revoke: StepWork = async (scene) => {
  const { deps, one, turn, context } = scene;
  const { handle, operationKey, versionId } = formerOf(one);
  const request = { handle, operationKey, claim: turnOf(turn).claim };
  return withIssuer(deps, one, context, async (session) => {
    await effect("revoke", async () => session.revoke(request));
    // Revoking has looked already, and its login is let in no more: where it hurries one clean look more is enough.
    const inRow = one.order === "contain-first" ? 1 : one.policy.answersInRow;
    return sessionsGone(scene, session, request, { inRow, version: { versionId, state: "ended" } });
  });
};

/** Ends the sessions that began before the cut: they got in with the former value. */
export const end: StepWork = async (scene) => {
  const { deps, one, turn, context } = scene;
  const { handle, operationKey, versionId } = formerOf(one);
  const request = { handle, operationKey, claim: turnOf(turn).claim };
  return withIssuer(deps, one, context, async (session) => {
    const before = one.to.effectiveAt;
    const until = before === undefined ? request : { ...request, before };
    const ended = { inRow: one.policy.answersInRow, version: { versionId, state: "ended" } } as const;
    return effect("end", async () => sessionsGone(scene, session, until, ended));
  });
};

async function sessionsGone(
  scene: StepScene,
  session: IssuerSession,
  request: EffectRequest & { readonly before?: string },
  {
    inRow,
    version,
  }: { readonly inRow: number; readonly version: { readonly versionId: string; readonly state: "ended" } },
): Promise<StepResult> {
  const { one, context } = scene;
  const remaining = await endSessionsInRow(session, request, inRow, context.signal);
  if (remaining === 0 || one.acceptedUnproven) return { does: "finish", versions: [version] };
  const gap = {
    code: "still_in_use",
    key: "still_in_use:sessions",
    text: `Sessions that come back after they were ended: ${remaining}. Find the client and stop it.`,
  } as const;
  return waitOrHold(scene, [gap], one.askedForMs);
}

/** Ends sessions until none is seen so many times in a row; answers with how many were left when it gave up. */
export async function endSessionsInRow(
  session: IssuerSession,
  request: EffectRequest & { readonly since?: string; readonly before?: string },
  inRow: number,
  signal: AbortSignal,
): Promise<number> {
  if (session.endSessions === undefined) return 0;
  for (let clean = 0, round = 0; clean < inRow; round += 1) {
    const { ended, remaining } = await session.endSessions(request);
    clean = ended === 0 && remaining === 0 ? clean + 1 : 0;
    // A client that reconnects in a loop: told about instead of chased for ever.
    if (round >= inRow * 5) return Math.max(remaining, ended);
    if (clean < inRow) await pause(50, undefined, { signal });
  }
  return 0;
}
