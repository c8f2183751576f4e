import { admit, type RotationState } from "./command.ts";
import { decisions, decisionsFor, needsReason } from "./hold.ts";
import { contains, isOneSlot, isPastReturn, placeOf, type Phase } from "./order.ts";

/** What a person can do about an open hold, in the order in which it is told: the answers, then what leaves it open. */
export const choiceNames = [...decisions, "wait", "pause", "resume", "abort"] as const;

export type ChoiceName = (typeof choiceNames)[number];

export interface Choice {
  readonly name: ChoiceName;
  readonly allowed: boolean;
  /** What it does now, or why it is refused: sentences for an operator. */
  readonly text: string;
  readonly needsReason: boolean;
}

/** All that a person can do about the open hold of a rotation as it is now; none without a hold. */
export function choicesFor(rotation: RotationState): readonly Choice[] {
  const { order, phase, direction, hold, conditions } = rotation;
  if (hold === undefined) return [];
  const answers = decisionsFor(order, phase, direction, hold.code, conditions);
  const command = (kind: "pause" | "resume" | "abort", text: string): Choice => {
    const admission = admit({ kind }, rotation);
    return { name: kind, allowed: admission.ok, text: admission.ok ? text : admission.reason, needsReason: false };
  };
  return [
    ...decisions.map((name) => {
      const { allowed, text } = answers[name];
      return { name, allowed, text, needsReason: allowed && needsReason(name) };
    }),
    { name: "wait", allowed: true, text: waitText(rotation), needsReason: false },
    rotation.paused
      ? command("resume", "Lets it go on; the hold still has to be answered.")
      : command("pause", "Leaves the hold open, and stops the rotation once it is answered, until it is resumed."),
    command("abort", "Answers the hold with roll-back, and undoes the rotation in the same way."),
  ];
}

/** What stays as it is while nobody answers. */
function waitText(rotation: RotationState): string {
  return `The hold has no time limit. ${meanwhile(rotation)} No other rotation of the credential begins meanwhile.`;
}

function meanwhile({ order, phase, direction, conditions }: RotationState): string {
  const hasReached = (other: Phase): boolean =>
    placeOf(order, phase) >= placeOf(order, other) && placeOf(order, other) > 0;
  if (direction === "undo") return "The undo stays where it is, and no version is ended.";
  if (phase === "reserved") return "Nothing was delivered and nothing was ended.";
  if (isOneSlot(order))
    return hasReached("cut")
      ? "The new value alone is in force: who has not got it yet cannot log in."
      : "The former value stays in force.";
  if (isPastReturn(order, phase, conditions))
    return contains(order) && !hasReached("delivered")
      ? "The old version is ended or about to be: who has not got the new one cannot log in."
      : "The old version is ended or about to be.";
  if (phase === "disabled")
    return "The old version stays refused: who still needs it cannot log in, until you roll back.";
  return "Both versions stay valid, and everybody keeps the one they have.";
}
