import { guardVerdict } from "../domain/guard.ts";
import { askAndJudge, waitOrHold } from "./ask-and-judge.ts";
import type { StepWork } from "./step-frame.ts";

/** Waits until each consumer has shown that it runs on the candidate. */
export const adopt: StepWork = async (scene) => {
  const { one } = scene;
  const judged = await askAndJudge(scene, false);
  if (judged === undefined) return { does: "wait", waitMs: 0 };
  // Strangers keep nobody from having adopted: the guard asks about them before anything is ended.
  const { clear } = guardVerdict({ ...judged.input, strangers: [], oldSessions: 0 });
  if (clear) return { does: "finish" };
  return waitOrHold(scene, judged.verdict.gaps, judged.watchedMs - one.policy.observeForMs);
};
