import type { Code } from "./errors.ts";
import { decisionsFor, type Decision } from "./hold.ts";
import { contains, isPastReturn, type Direction, type Order, type Phase, type ReturnConditions } from "./order.ts";

export const commandKinds = [
  "pause",
  "resume",
  "abort",
  "extend",
  "expedite",
  "decide",
  "acknowledge",
  "approve",
  "emergency",
] as const;

export type CommandKind = (typeof commandKinds)[number];

export type Command =
  | { readonly kind: "pause" | "resume" | "abort" | "expedite" }
  /** Makes the grace longer by so much. */
  | { readonly kind: "extend"; readonly byMs: number }
  | {
      readonly kind: "decide";
      readonly holdId: string;
      readonly decision: Decision;
      /** Keys of the gaps that the person has seen. */
      readonly gaps: readonly string[];
    }
  | { readonly kind: "acknowledge"; readonly consumerId: string; readonly version: number }
  | { readonly kind: "approve"; readonly planDigest: string }
  /** What it asks for is done already; the rotation looks again. Nobody gives it by itself. */
  | { readonly kind: "emergency"; readonly emergencyId: string };

export interface OpenHold {
  readonly holdId: string;
  readonly code: Code;
  readonly gaps: readonly string[];
}

/** What of a rotation decides whether a command is heard. */
export interface RotationState {
  readonly order: Order;
  readonly phase: Phase;
  readonly direction: Direction;
  readonly urgent: boolean;
  readonly paused: boolean;
  /** The intent of the step that makes the candidate exists: an urgent rotation is not aborted from there. */
  readonly issueIntended: boolean;
  readonly candidateVersion: number;
  readonly consumerIds: readonly string[];
  readonly hold?: OpenHold | undefined;
  /** The digest of the plan that waits for approval. */
  readonly approvalWanted?: string | undefined;
  readonly conditions?: ReturnConditions;
  /** So much longer the policy lets the grace become; absent: any time. */
  readonly graceRoomMs?: number | undefined;
}

export type Admission = { readonly ok: true } | { readonly ok: false; readonly reason: string };

/** Whether a command fits the rotation as it is now. Asked when it is given and again by the step that consumes it. */
export function admit(command: Command, rotation: RotationState): Admission {
  const reason = rotation.phase === "closed" ? "The rotation is closed." : refusal(command, rotation);
  return reason === undefined ? { ok: true } : { ok: false, reason };
}

function refusal(command: Command, rotation: RotationState): string | undefined {
  switch (command.kind) {
    case "pause":
      if (rotation.urgent) return "An urgent rotation cannot be paused.";
      if (rotation.direction === "undo") return "An undo is not paused: it brings back what works.";
      return rotation.paused ? "The rotation is paused already." : undefined;
    case "resume":
      return rotation.paused ? undefined : "The rotation is not paused.";
    case "abort":
      return abortRefusal(rotation);
    case "extend":
      return extendRefusal(command.byMs, rotation);
    case "expedite":
      return rotation.urgent ? "The rotation is urgent already." : undefined;
    case "decide":
      return decideRefusal(command, rotation);
    case "acknowledge":
      if (!rotation.consumerIds.includes(command.consumerId)) return "That consumer is not part of the rotation.";
      // During undo it says that the consumer is back, so only the candidate cannot be meant.
      if (rotation.direction === "undo") {
        return command.version === rotation.candidateVersion
          ? `The rotation is being undone; version ${command.version} is the one to leave.`
          : undefined;
      }
      return command.version === rotation.candidateVersion
        ? undefined
        : `The rotation is about version ${rotation.candidateVersion}.`;
    case "emergency":
      return undefined;
    case "approve":
      if (rotation.approvalWanted === undefined) return "The rotation does not wait for an approval.";
      return command.planDigest === rotation.approvalWanted
        ? undefined
        : "The plan has changed since; read it again and approve what it says now.";
  }
}

function abortRefusal({
  order,
  phase,
  direction,
  urgent,
  issueIntended,
  conditions,
}: RotationState): string | undefined {
  if (direction === "undo") return "The rotation is already being undone.";
  if (isPastReturn(order, phase, conditions))
    return "The rotation is past its point of no return; it only goes forward.";
  return urgent && issueIntended ? "An urgent rotation whose candidate may exist is not aborted." : undefined;
}

/** The grace ends where the rotation is drained; afterwards there is nothing left to extend. */
const beforeDrained: ReadonlySet<Phase> = new Set<Phase>([
  "reserved",
  "issued",
  "staged",
  "cut",
  "delivered",
  "adopted",
  "promoted",
]);

function extendRefusal(
  byMs: number,
  { order, phase, direction, urgent, graceRoomMs = Infinity }: RotationState,
): string | undefined {
  if (!Number.isSafeInteger(byMs) || byMs <= 0)
    return "The extension must be a whole number of milliseconds above zero.";
  if (urgent) return "An urgent rotation has no grace.";
  if (contains(order)) return "A rotation that contains has no grace.";
  if (direction === "undo") return "The rotation is being undone; it has no grace.";
  if (!beforeDrained.has(phase)) return "The grace is over.";
  if (byMs <= graceRoomMs) return undefined;
  const roomSeconds = Math.floor(graceRoomMs / 1_000);
  return roomSeconds <= 0
    ? "The grace is as long already as the policy's graceMax lets it be."
    : `The policy's graceMax lets the grace become no more than ${roomSeconds} s longer: extend it by ${roomSeconds}s at most.`;
}

function decideRefusal(command: Command & { kind: "decide" }, rotation: RotationState): string | undefined {
  const { hold, order, phase, direction, conditions } = rotation;
  if (hold === undefined) return "The rotation does not wait for a decision.";
  if (command.holdId !== hold.holdId) return "That hold is answered; read the one that is open now.";
  const unseen = hold.gaps.filter((gap) => !command.gaps.includes(gap));
  if (command.decision === "accept" && unseen.length > 0) return `The decision does not name: ${unseen.join(", ")}.`;
  const meaning = decisionsFor(order, phase, direction, hold.code, conditions)[command.decision];
  return meaning.allowed ? undefined : meaning.text;
}
