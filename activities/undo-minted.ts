import { setTimeout as pause } from "node:timers/promises";
import type { Gap } from "../domain/guard.ts";
import { printable } from "../domain/printable.ts";
import type { IssuerFacts, IssuerSession, ListedVersion, ProbeAnswer } from "../providers/contract/issuer.ts";
import type { Value } from "../providers/contract/value.ts";
import { waitOrHold } from "./ask-and-judge.ts";
import { turnOf } from "./turn-of.ts";
import { leftoversAmong } from "./leftovers.ts";
import { probeInRow } from "./probe-rounds.ts";
import { deathGap, provenDead } from "./prove.ts";
import { formerOf, refOf, withIssuer } from "./reach.ts";
import type { StepResult, StepScene } from "./step-frame.ts";

/**
 * Sees that nothing of a minted candidate is left. Its issuer may have made a key of which no answer came, or a call may
 * have been on its way when the undo began: so the issuer is asked for its list again and again over its lag, and what
 * appears is ended. Where custody has the value, that is seen refused besides.
 */
export async function proveGone(scene: StepScene, value: Value | undefined): Promise<StepResult> {
  const { deps, one, context } = scene;
  return withIssuer(deps, one, context, async (session, definition) => {
    const found = await listInRow(scene, session, definition.facts);
    if (found !== undefined) {
      const { operationKey, handle = "" } = one.to;
      await session.abandon({ handle, operationKey, claim: turnOf(scene.turn).claim });
      return waitOrHold(scene, [found], one.askedForMs);
    }
    const { versionId } = one.to;
    if (value === undefined)
      return { does: "finish", versions: [provenDead(versionId, notListed, one.policy.answersInRow)] };
    const control = await deps.custody.get(refOf(one, formerOf(one)));
    const handle = definition.handleOf(definition.configSchema.parse(one.config), value, one.to.number);
    const request = control === undefined ? { handle, value } : { handle, value, control };
    const lagMs = definition.facts.deactivationLagMs;
    const rounds = { inRow: one.policy.answersInRow, lagMs, signal: context.signal };
    const answer = await deps.scrubber.withHeld([value, ...(control === undefined ? [] : [control])], async () =>
      probeInRow(session, request, "refused", rounds),
    );
    if (answer.verdict !== "refused") return waitOrHold(scene, [deathGap(answer)], one.askedForMs);
    return { does: "finish", versions: [provenDead(versionId, answer, rounds.inRow)] };
  });
}

/** Nobody has the value of such a key, so that nobody can log in with it; and the issuer has none. */
const notListed: ProbeAnswer = {
  verdict: "refused",
  code: "not_listed",
  controls: [{ control: "former version", answer: "listed" }],
};

/**
 * Undefined when each list, over the lag, showed the former version and nothing of the candidate: neither what this rotation
 * made, nor the recorded handle, which is the candidate whatever mark it has lost.
 */
async function listInRow(scene: StepScene, session: IssuerSession, facts: IssuerFacts): Promise<Gap | undefined> {
  const { one, context } = scene;
  const { answersInRow } = one.policy;
  const lagMs = Math.max(facts.activationLagMs, facts.deactivationLagMs);
  for (let round = 0; round < answersInRow; round += 1) {
    if (round > 0) await pause(lagMs / (answersInRow - 1), undefined, { signal: context.signal });
    const listed = await session.list();
    // A list without it is of another place, or of somebody who may not see.
    if (!listed.some(({ handle, state }) => handle === formerOf(one).handle && state !== "ended")) return unseenGap;
    const made = leftoversAmong(listed, one, one.keep);
    const left = listed.filter(
      (each) => made.includes(each) || (each.handle === one.to.handle && each.state !== "ended"),
    );
    if (left.length > 0) return leftGap(left);
  }
  return undefined;
}

const unseenGap: Gap = {
  code: "death_unproven",
  key: "death_unproven:list",
  text: "The issuer's list does not show the version that is in use, so that what it does not show means nothing. Look at what the connection may see there.",
};

function leftGap(left: readonly ListedVersion[]): Gap {
  const names = left.map(({ handle }) => printable(handle)).join(", ");
  const text = `The issuer still lists what this rotation made: ${names}. End it there if it does not go.`;
  return { code: "death_unproven", key: "death_unproven:listed", text };
}
