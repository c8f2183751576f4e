import type { RotationView } from "./rekey.ts";

type Seen = Pick<RotationView, "phase" | "direction" | "phases" | "outcome">;

/**
 * The phases that a rotation has come through since it was last looked at, in the order in which it did. Watching looks
 * a few times a second, and some phases are shorter than that.
 */
export function newPhases(last: Seen | undefined, now: Seen): readonly string[] {
  const names = now.phases.map(({ phase }) => phase);
  const to = names.indexOf(now.phase);
  const from = last === undefined ? -1 : names.indexOf(last.phase);
  const turned = now.direction === "undo" && last?.direction !== "undo";
  if (now.direction !== "undo") return names.slice(from + 1, to + 1);
  // Closed is the last phase of either way: on the way back it comes after the first.
  const end = now.outcome === undefined ? [] : ["closed"];
  const lowest = now.outcome === undefined ? to : 0;
  const back = names.slice(lowest, turned ? from + 1 : from).toReversed();
  return last?.phase === "closed" ? [] : [...back, ...end];
}
