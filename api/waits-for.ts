import { codes } from "../domain/errors.ts";
import { feltSteps, previousPhase, stepFor, undoStepFor } from "../domain/order.ts";
import type { FeltWait } from "../ledger/felt-effects.ts";
import type { CommandView, HoldView, RotationRecord } from "../ledger/rotation-views.ts";
import { sayNever, sayObstacle } from "./say-obstacle.ts";

export interface Waiting {
  /** One sentence. */
  readonly text: string;
  readonly since: Date;
  readonly until: Date | null;
}

/** A worker begins in less. */
const soonMs = 10_000;

/** What a rotation waits for at this moment, and since when. */
export function waitsFor(
  record: RotationRecord,
  {
    hold,
    commands,
    felt,
  }: {
    readonly hold: HoldView | undefined;
    readonly commands: readonly CommandView[];
    /** What keeps its consumers from feeling anything now. */
    readonly felt: Pick<FeltWait, "obstacles" | "isNever"> | undefined;
  },
): Waiting {
  const { now, waitUntil, phaseSince, createdAt, closedAt, outcome } = record;
  const until = waitUntil !== null && waitUntil > now ? waitUntil : null;
  if (outcome !== null)
    return { text: `Nothing: it is closed, ${outcome}.`, since: closedAt ?? phaseSince, until: null };
  const pending = commands.find(({ state }) => state === "pending");
  if (pending !== undefined)
    return { text: `Its next step, to hear the command ${pending.kind}.`, since: pending.at, until: null };
  if (hold !== undefined)
    return { text: `A person, to answer hold ${hold.number}: ${codes[hold.code]}.`, since: hold.openedAt, until: null };
  if (record.paused) return { text: "A person, to resume it: it is paused.", since: phaseSince, until: null };
  if (!record.isStarted) {
    const isLate = now.getTime() - createdAt.getTime() > soonMs;
    return { text: `A worker to begin it.${isLate ? " Check that one runs." : ""}`, since: createdAt, until: null };
  }
  const obstacles = felt?.obstacles ?? [];
  const last = obstacles.toSorted((a, b) => b.untilMs - a.untilMs)[0];
  const step = record.direction === "forward" ? (stepFor(record.order, record.phase) ?? "close") : "close";
  const isFelt = feltSteps[record.order].has(step) || step === "guard";
  if (isFelt && felt?.isNever === true)
    return { text: `Nothing that comes: ${sayNever(record.id)}.`, since: phaseSince, until: null };
  if (last !== undefined && isFelt)
    return {
      text: `Consumers may feel nothing now: ${obstacles.map(sayObstacle).join("; ")}. Not to wait for it: \`rekey rotation expedite ${record.id}\`.`,
      since: phaseSince,
      until: new Date(last.untilMs),
    };
  return { text: `${stepText(record)}${problemText(record)}`, since: phaseSince, until };
}

function stepText({ order, phase, direction }: RotationRecord): string {
  if (direction === "undo")
    return `The undo of ${phase} (${undoStepFor(order, phase) ?? "nothing to take back"}), back to ${previousPhase(order, phase) ?? "the beginning"}.`;
  const step = stepFor(order, phase) ?? "close";
  const words: Partial<Record<string, string>> = {
    adopt: "The consumers, to show that they run on the new version.",
    drain: "The grace to end, and the evidence to be collected again.",
    disable: "The time for which the old version stays disabled, restorable.",
    guard: "The guard, for newer evidence that nobody uses the old version.",
    prove: "The issuer, to refuse the old version often enough in a row.",
  };
  return words[step] ?? `The step ${step}.`;
}

function problemText({ attempts, lastCode }: RotationRecord): string {
  return lastCode === null || attempts === 0 ? "" : ` Attempt ${attempts} failed: ${codes[lastCode]}.`;
}
