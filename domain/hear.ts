import type { Command, RotationState } from "./command.ts";
import { decisionsFor } from "./hold.ts";

/** What a heard command changes about its rotation. Absent means unchanged. */
export interface Change {
  readonly paused?: boolean;
  readonly urgent?: boolean;
  readonly extendMs?: number;
  readonly turnsToUndo?: boolean;
  /** The open hold is answered; the step is tried again at once. */
  readonly answersHold?: boolean;
  /** A person lets the rotation end although a death was not proven. */
  readonly acceptsUnproven?: boolean;
  /** A consumer was acknowledged by a person to be on this version. */
  readonly acknowledged?: { readonly consumerId: string; readonly version: number };
  /** An emergency's versions end now, whoever breaks. */
  readonly contains?: boolean;
  /** Cuts every wait short. */
  readonly looksNow?: boolean;
}

/** The change that an admitted command makes. Pure: `admit` has said that it fits. */
export function hear(command: Command, rotation: RotationState): Change {
  switch (command.kind) {
    case "pause":
      return { paused: true };
    case "resume":
      return { paused: false, looksNow: true };
    case "abort":
      return { turnsToUndo: true, answersHold: true, looksNow: true };
    case "expedite":
      return { urgent: true, looksNow: true };
    case "extend":
      return { extendMs: command.byMs };
    case "acknowledge":
      return { acknowledged: { consumerId: command.consumerId, version: command.version }, looksNow: true };
    case "approve":
    case "emergency":
      return { looksNow: true };
    case "decide": {
      const { order, phase, direction, hold, conditions } = rotation;
      if (hold === undefined) return {};
      const meaning = decisionsFor(order, phase, direction, hold.code, conditions)[command.decision];
      return {
        answersHold: true,
        looksNow: true,
        turnsToUndo: command.decision === "roll-back",
        acceptsUnproven: meaning.outcome === "closed-unproven",
        ...(command.decision === "accept" && hold.code === "emergency_overdue" ? { contains: true } : {}),
      };
    }
  }
}

/** The rotation as it is after a change, so that the next command of the same turn is admitted against it. */
export function changed(rotation: RotationState, change: Change): RotationState {
  return {
    ...rotation,
    paused: change.paused ?? rotation.paused,
    urgent: change.urgent ?? rotation.urgent,
    direction: change.turnsToUndo === true ? "undo" : rotation.direction,
    hold: change.answersHold === true ? undefined : rotation.hold,
    ...(rotation.graceRoomMs === undefined
      ? {}
      : { graceRoomMs: Math.max(0, rotation.graceRoomMs - (change.extendMs ?? 0)) }),
  };
}
