import { describe, expect, test } from "vitest";
import { admit, type Command, type RotationState } from "./command.ts";
import { changed, hear } from "./hear.ts";

const hold = { holdId: "hld_1", code: "evidence_missing", gaps: ["evidence_missing:con_a"] } as const;
const state: RotationState = {
  order: "overlap",
  phase: "delivered",
  direction: "forward",
  urgent: false,
  paused: false,
  issueIntended: true,
  candidateVersion: 2,
  consumerIds: ["con_a"],
};
const decide = (decision: "retry" | "roll-back" | "accept") =>
  ({ kind: "decide", holdId: "hld_1", decision, gaps: hold.gaps }) as const;
const after = (command: Command, from: RotationState = state) => changed(from, hear(command, from));

describe("a heard command", () => {
  test("changes what it is about and nothing else", () => {
    expect(hear({ kind: "pause" }, state)).toEqual({ paused: true });
    expect(hear({ kind: "resume" }, state)).toEqual({ paused: false, looksNow: true });
    expect(hear({ kind: "expedite" }, state)).toEqual({ urgent: true, looksNow: true });
    expect(hear({ kind: "extend", byMs: 500 }, state)).toEqual({ extendMs: 500 });
    expect(hear({ kind: "approve", planDigest: "d" }, state)).toEqual({ looksNow: true });
    expect(hear({ kind: "acknowledge", consumerId: "con_a", version: 2 }, state)).toEqual({
      acknowledged: { consumerId: "con_a", version: 2 },
      looksNow: true,
    });
  });

  test("aborts at once, hold or no hold", () => {
    expect(hear({ kind: "abort" }, state)).toEqual({ turnsToUndo: true, answersHold: true, looksNow: true });
    expect(after({ kind: "abort" }, { ...state, hold })).toMatchObject({ direction: "undo", hold: undefined });
    expect(after({ kind: "pause" })).toEqual({ ...state, paused: true, hold: undefined });
  });

  test("answers the hold it decides, and only roll-back turns round", () => {
    const held = { ...state, hold };
    const answer = { answersHold: true, looksNow: true, acceptsUnproven: false };
    expect(hear(decide("retry"), held)).toEqual({ ...answer, turnsToUndo: false });
    expect(hear(decide("accept"), held)).toEqual({ ...answer, turnsToUndo: false });
    expect(hear(decide("roll-back"), held)).toEqual({ ...answer, turnsToUndo: true });
  });

  test("lets a rotation end unproven only when a death is accepted without its proof", () => {
    const dying = { ...state, phase: "revoked", hold: { ...hold, code: "death_unproven" } } as const;
    expect(hear(decide("accept"), dying)).toMatchObject({ acceptsUnproven: true });
    expect(hear(decide("retry"), dying)).toMatchObject({ acceptsUnproven: false });
  });

  test("decides nothing where there is no hold", () => {
    expect(hear(decide("accept"), state)).toEqual({});
  });
});

describe("the next command of the same turn", () => {
  test("meets the rotation as the one before left it", () => {
    expect(admit({ kind: "pause" }, after({ kind: "pause" })).ok).toBe(false);
    expect(admit({ kind: "resume" }, after({ kind: "pause" })).ok).toBe(true);
    expect(admit({ kind: "pause" }, after({ kind: "resume" }, { ...state, paused: true })).ok).toBe(true);
    expect(admit({ kind: "expedite" }, after({ kind: "expedite" })).ok).toBe(false);
    expect(admit({ kind: "abort" }, after({ kind: "abort" })).ok).toBe(false);
    expect(admit(decide("retry"), after(decide("retry"), { ...state, hold })).ok).toBe(false);
  });

  test("finds everything that was not touched as it was", () => {
    const odd = { ...state, paused: true, urgent: true, direction: "undo", hold } as const;
    expect(changed(odd, {})).toEqual(odd);
    expect(after({ kind: "extend", byMs: 1 }, odd)).toEqual(odd);
  });
});
