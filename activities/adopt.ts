import { guardVerdict } from "../domain/guard.ts";
import { lastOneOf } from "../domain/last-one.ts";
import { recordLastOne } from "../ledger/notice-looks.ts";
import { contains } from "../domain/order.ts";
import { askAndJudge, waitOrHold } from "./ask-and-judge.ts";
import type { StepWork } from "./step-frame.ts";

/** Waits until each consumer has shown that it runs on the candidate. */
export const adopt: StepWork = async (scene) => {
  const { one } = scene;
  // The candidate has leaked too and was brought to nobody who had not got it: the next rotation serves them all.
  if (one.to.isCompromised && contains(one.order)) return { does: "finish" };
  const judged = await askAndJudge(scene, false);
  if (judged === undefined) return { does: "wait", waitMs: 0 };
  // Strangers keep nobody from having adopted: the guard asks about them before anything is ended.
  const { clear, gaps } = guardVerdict({ ...judged.input, strangers: [], oldSessions: 0 });
  if (clear) return { does: "finish" };
  const result = waitOrHold(scene, judged.verdict.gaps, judged.watchedMs - one.policy.observeForMs);
  const waitedMs = Math.min(judged.watchedMs, one.askedForMs);
  const last = lastOneOf(gaps, one.consumers.length);
  if (last !== undefined && (result.does === "hold" || waitedMs > one.policy.lastOneAfterMs))
    await recordLastOne(scene.deps.ledger, { ...one, consumerId: last });
  return result;
};
