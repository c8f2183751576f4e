import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { admit, commandKinds, type Command, type RotationState } from "./command.ts";
import { isPastReturn, orders, type Order, type Phase } from "./order.ts";

const names = Object.keys(orders) as Order[];
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
const hold = {
  holdId: "hld_1",
  code: "evidence_missing",
  gaps: ["evidence_missing:con_a"],
} as const;
const decide = {
  kind: "decide",
  holdId: "hld_1",
  decision: "accept",
  gaps: ["evidence_missing:con_a"],
} as const;

/** Why a command is refused; undefined when it is heard. */
function refusal(command: Command, change: Partial<RotationState> = {}): string | undefined {
  const admission = admit(command, { ...state, ...change });
  return admission.ok ? undefined : admission.reason;
}

describe("abort", () => {
  test("invariant 10: it is heard exactly going forward before the point of no return", () => {
    for (const order of names) {
      for (const phase of orders[order]) {
        for (const conditions of [{}, { formerInCustody: true, compromised: false }]) {
          const heard = refusal({ kind: "abort" }, { order, phase, conditions }) === undefined;
          expect(heard, `${order} ${phase}`).toBe(!isPastReturn(order, phase, conditions));
        }
      }
    }
    expect(refusal({ kind: "abort" }, { phase: "revoking" })).toContain("point of no return");
  });

  test("it is refused once the rotation is being undone", () => {
    expect(refusal({ kind: "abort" }, { direction: "undo" })).toContain("already being undone");
  });

  test("an urgent rotation is aborted only while no candidate can exist", () => {
    expect(refusal({ kind: "abort" }, { urgent: true })).toContain("candidate may exist");
    expect(refusal({ kind: "abort" }, { urgent: true, issueIntended: false, phase: "reserved" })).toBeUndefined();
  });
});

describe("pause, resume and expedite", () => {
  test("a routine rotation is paused once and resumed once", () => {
    expect(refusal({ kind: "pause" })).toBeUndefined();
    expect(refusal({ kind: "pause" }, { paused: true })).toBe("The rotation is paused already.");
    expect(refusal({ kind: "resume" }, { paused: true })).toBeUndefined();
    expect(refusal({ kind: "resume" })).toBe("The rotation is not paused.");
  });

  test("an undo is not paused", () => {
    expect(refusal({ kind: "pause" }, { direction: "undo" })).toContain("An undo is not paused");
    expect(refusal({ kind: "resume" }, { direction: "undo", paused: true })).toBeUndefined();
  });

  test("invariant 11: an urgent rotation is not paused, and becomes urgent once", () => {
    expect(refusal({ kind: "pause" }, { urgent: true })).toBe("An urgent rotation cannot be paused.");
    expect(refusal({ kind: "expedite" })).toBeUndefined();
    expect(refusal({ kind: "expedite" }, { urgent: true })).toBe("The rotation is urgent already.");
  });
});

describe("extend", () => {
  const extend = { kind: "extend", byMs: 60_000 } as const;

  test("it is heard until the grace is over", () => {
    const heard = (order: Order): Phase[] =>
      orders[order].filter((phase) => refusal(extend, { order, phase }) === undefined);
    expect(heard("overlap")).toEqual(["reserved", "issued", "delivered", "adopted", "promoted"]);
    expect(heard("single-slot")).toEqual(["reserved", "staged", "cut", "delivered", "adopted", "promoted"]);
    expect(heard("contain-first")).toEqual([]);
    expect(refusal(extend, { phase: "drained" })).toBe("The grace is over.");
  });

  test("it is refused where there is no grace", () => {
    expect(refusal(extend, { urgent: true })).toBe("An urgent rotation has no grace.");
    expect(refusal(extend, { direction: "undo" })).toBe("The rotation is being undone; it has no grace.");
    expect(refusal(extend, { order: "contain-first" })).toBe("A rotation that contains has no grace.");
  });

  test("it wants a whole number of milliseconds above zero", () => {
    for (const byMs of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(refusal({ kind: "extend", byMs })).toContain("above zero");
    }
    expect(refusal({ kind: "extend", byMs: 1 })).toBeUndefined();
  });

  test("goes no further than the policy's graceMax, and says how far", () => {
    expect(refusal(extend, { graceRoomMs: 60_000 })).toBeUndefined();
    expect(refusal(extend, { graceRoomMs: 59_999 })).toContain("extend it by 59s at most");
    expect(refusal(extend, { graceRoomMs: 0 })).toContain("as long already");
  });
});

describe("decide", () => {
  test("it answers the open hold and no other", () => {
    expect(refusal(decide, { hold })).toBeUndefined();
    expect(refusal(decide)).toBe("The rotation does not wait for a decision.");
    expect(refusal({ ...decide, holdId: "hld_0" }, { hold })).toContain("read the one that is open now");
  });

  test("an accept names every gap; a retry need not", () => {
    const two = { ...hold, gaps: [...hold.gaps, "stranger_seen:x", "stranger_seen:y"] };
    expect(refusal(decide, { hold: two })).toBe("The decision does not name: stranger_seen:x, stranger_seen:y.");
    expect(refusal({ ...decide, gaps: two.gaps }, { hold: two })).toBeUndefined();
    expect(refusal({ ...decide, decision: "retry", gaps: [] }, { hold: two })).toBeUndefined();
  });

  test("a decision that the hold's table refuses is refused with its sentence", () => {
    const rollBack = { ...decide, decision: "roll-back" } as const;
    expect(refusal(rollBack, { hold })).toBeUndefined();
    expect(refusal(rollBack, { hold, phase: "revoked" })).toContain("only goes forward");
    const drift = { ...hold, code: "target_drift" } as const;
    expect(refusal(decide, { hold: drift })).toContain("cannot be accepted");
    const cut = { hold, order: "single-slot", phase: "cut" } as const;
    expect(refusal(rollBack, cut)).toBeDefined();
    expect(refusal(rollBack, { ...cut, conditions: { formerInCustody: true, compromised: false } })).toBeUndefined();
  });
});

describe("acknowledge and approve", () => {
  const acknowledge = { kind: "acknowledge", consumerId: "con_a", version: 2 } as const;

  test("an acknowledgement is for a consumer of the rotation and for its candidate", () => {
    expect(refusal(acknowledge)).toBeUndefined();
    expect(refusal({ ...acknowledge, consumerId: "con_z" })).toBe("That consumer is not part of the rotation.");
    expect(refusal({ ...acknowledge, version: 1 })).toBe("The rotation is about version 2.");
  });

  test("during undo it says that the consumer is back", () => {
    expect(refusal({ ...acknowledge, version: 1 }, { direction: "undo" })).toBeUndefined();
    expect(refusal(acknowledge, { direction: "undo" })).toContain("being undone");
  });

  test("an approval binds the digest of the plan as it is", () => {
    const approve = { kind: "approve", planDigest: "d1" } as const;
    expect(refusal(approve, { approvalWanted: "d1" })).toBeUndefined();
    expect(refusal(approve, { approvalWanted: "d2" })).toContain("has changed since");
    expect(refusal(approve)).toBe("The rotation does not wait for an approval.");
  });
});

test("a closed rotation hears nothing, and every refusal is a sentence", () => {
  const anyCommand = fc.constantFrom<Command>(
    { kind: "pause" },
    { kind: "resume" },
    { kind: "abort" },
    { kind: "expedite" },
    { kind: "extend", byMs: 1 },
    decide,
    { kind: "acknowledge", consumerId: "con_a", version: 2 },
    { kind: "approve", planDigest: "d1" },
  );
  fc.assert(
    fc.property(anyCommand, fc.boolean(), fc.boolean(), (command, paused, urgent) => {
      const change = { paused, urgent, hold, approvalWanted: "d1" };
      expect(refusal(command, { ...change, phase: "closed" })).toBe("The rotation is closed.");
      expect(refusal(command, change) ?? "Heard.").toMatch(/^[A-Z].+\.$/);
    }),
  );
  expect(commandKinds).toEqual([
    ...["pause", "resume", "abort", "extend", "expedite", "decide", "acknowledge", "approve", "emergency"],
  ]);
});

test("what is heard says ok and nothing else, what is refused says why", () => {
  expect(admit({ kind: "pause" }, state)).toEqual({ ok: true });
  expect(admit({ kind: "resume" }, state)).toEqual({
    ok: false,
    reason: "The rotation is not paused.",
  });
});
