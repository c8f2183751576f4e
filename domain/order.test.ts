import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  contains,
  effectSteps,
  isPastReturn,
  isProofGivenUp,
  nextPhase,
  orders,
  placeOf,
  pointOfNoReturn,
  previousPhase,
  type Phase,
  stepFor,
  undoStepFor,
  withoutProof,
  type Order,
} from "./order.ts";

const names = Object.keys(orders) as Order[];
const returnable = { formerInCustody: true, compromised: false };
const everyPhase = [...new Set(names.flatMap((order): readonly Phase[] => orders[order]))];
const anyOrder = fc.constantFrom(...names);
const anyPlace = anyOrder.chain((order) => fc.tuple(fc.constant(order), fc.constantFrom<Phase>(...orders[order])));

function stepsOf(order: Order): (string | undefined)[] {
  return orders[order].map((phase) => stepFor(order, phase));
}

describe("the way forward", () => {
  test("overlap takes its steps in the designed sequence", () => {
    expect(stepsOf("overlap")).toEqual([
      ...["issue", "deliver", "adopt", "promote", "drain", "disable", "guard", "revoke", "prove", "close"],
      undefined,
    ]);
  });

  test("contain-first ends the old version before it delivers the new one", () => {
    expect(stepsOf("contain-first")).toEqual([
      ...["issue", "guard", "revoke", "prove", "deliver", "adopt", "promote", "close"],
      undefined,
    ]);
  });

  test("contain-in-place ends the old version before it makes the new one", () => {
    expect(stepsOf("contain-in-place")).toEqual([
      ...["guard", "revoke", "issue", "prove", "deliver", "adopt", "promote", "close"],
      undefined,
    ]);
  });

  test("who has given up the proof is not asked for it, and the consumers get the new version", () => {
    for (const order of ["overlap", "single-slot"] as const) expect(withoutProof(order)).toBeUndefined();
    for (const order of names.filter(contains)) {
      const next = withoutProof(order) ?? { order, phase: "reserved" };
      expect(contains(next.order)).toBe(true);
      expect(isProofGivenUp(next.order)).toBe(true);
      expect(stepFor(next.order, next.phase)).toBe("deliver");
      expect(stepsOf(next.order).slice(-5)).toEqual(["deliver", "adopt", "promote", "close", undefined]);
    }
  });

  test("single-slot stages and cuts", () => {
    expect(stepsOf("single-slot")).toEqual([
      ...["stage", "cut", "deliver", "adopt", "promote", "drain", "end", "prove", "close"],
      undefined,
    ]);
  });

  test("each order reaches closed from reserved and names no phase twice", () => {
    for (const order of names) {
      const walked: Phase[] = [];
      for (let at: Phase | undefined = "reserved"; at !== undefined; at = nextPhase(order, at)) walked.push(at);
      expect(walked).toEqual(orders[order]);
      expect(walked.at(-1)).toBe("closed");
      expect(new Set(walked).size).toBe(walked.length);
    }
  });

  test("a phase that an order does not have leads nowhere and is never undone", () => {
    for (const order of names) {
      for (const phase of everyPhase.filter((other) => placeOf(order, other) < 0)) {
        expect(nextPhase(order, phase)).toBeUndefined();
        expect(stepFor(order, phase)).toBeUndefined();
        expect(isPastReturn(order, phase, returnable)).toBe(true);
        expect(previousPhase(order, phase, returnable)).toBeUndefined();
      }
    }
    expect(placeOf("overlap", "cut")).toBe(-1);
  });
});

describe("the way back", () => {
  test("each order has its own point of no return", () => {
    expect(names.map(pointOfNoReturn)).toEqual(["revoking", "revoking", "revoking", "revoking", "cut", "cut", "cut"]);
  });

  test("the undo of each phase is the designed one", () => {
    const undoOf = (order: Order): (string | undefined)[] =>
      orders[order].map((phase) => undoStepFor(order, phase, returnable));
    const none = (count: number): undefined[] => Array.from({ length: count }, () => undefined);
    expect(undoOf("overlap")).toEqual([
      ...["close", "abandon", "restore", undefined, "demote", undefined, "enable"],
      ...none(4),
    ]);
    expect(undoOf("contain-first")).toEqual(["close", "abandon", ...none(7)]);
    expect(undoOf("single-slot")).toEqual([
      ...["close", "unstage", "cut-back", "restore", undefined, "demote"],
      ...none(4),
    ]);
  });

  test("walking forward any distance and then undoing visits the same phases backwards down to reserved", () => {
    fc.assert(
      fc.property(anyPlace, ([order, phase]) => {
        fc.pre(!isPastReturn(order, phase, returnable));
        const back: Phase[] = [];
        for (let at: Phase | undefined = phase; at !== undefined; at = previousPhase(order, at, returnable)) {
          back.push(at);
        }
        expect(back.toReversed()).toEqual(orders[order].slice(0, placeOf(order, phase) + 1));
      }),
    );
  });

  test("one step forward and one back is where it was, and reserved is undone by closing", () => {
    for (const order of names) {
      for (const phase of orders[order]) {
        const next = nextPhase(order, phase);
        if (next !== undefined && !isPastReturn(order, next, returnable)) {
          expect(previousPhase(order, next, returnable)).toBe(phase);
        }
      }
      expect(previousPhase(order, "reserved")).toBeUndefined();
      expect(undoStepFor(order, "reserved")).toBe("close");
    }
  });

  test("nothing past the point of no return is undone", () => {
    fc.assert(
      fc.property(
        anyPlace,
        fc.record({ formerInCustody: fc.boolean(), compromised: fc.boolean() }),
        ([order, phase], conditions) => {
          fc.pre(isPastReturn(order, phase, conditions));
          expect(undoStepFor(order, phase, conditions)).toBeUndefined();
          expect(previousPhase(order, phase, conditions)).toBeUndefined();
        },
      ),
    );
  });

  test("once past the point of no return, every later phase is past it", () => {
    fc.assert(
      fc.property(
        anyPlace,
        fc.record({ formerInCustody: fc.boolean(), compromised: fc.boolean() }),
        ([order, phase], conditions) => {
          const next = nextPhase(order, phase);
          fc.pre(next !== undefined && isPastReturn(order, phase, conditions));
          expect(isPastReturn(order, next, conditions)).toBe(true);
        },
      ),
    );
  });

  test("orders with two live versions cannot be crossed back whatever is in custody", () => {
    for (const order of ["overlap", "contain-first", "contain-in-place"] as const) {
      const first = placeOf(order, "revoking");
      for (const [place, phase] of orders[order].entries()) {
        expect(isPastReturn(order, phase, returnable)).toBe(place >= first);
        expect(isPastReturn(order, phase)).toBe(place >= first);
      }
    }
  });

  test("a single-slot's cut is crossed back only while the former value is in custody and clean", () => {
    const cut = (conditions?: { formerInCustody?: boolean; compromised?: boolean }): boolean =>
      isPastReturn("single-slot", "cut", conditions);
    expect(cut()).toBe(true);
    expect(cut({ formerInCustody: true })).toBe(true);
    expect(cut({ compromised: false })).toBe(true);
    expect(cut({ formerInCustody: true, compromised: true })).toBe(true);
    expect(cut({ formerInCustody: false, compromised: false })).toBe(true);
    expect(cut(returnable)).toBe(false);
    expect(isPastReturn("single-slot", "staged")).toBe(false);
    expect(isPastReturn("single-slot", "ended", returnable)).toBe(false);
    expect(isPastReturn("single-slot", "proven", returnable)).toBe(true);
    expect(isPastReturn("single-slot", "closed", returnable)).toBe(true);
  });
});

test("invariant 3: each step that changes something outside stores its intent; those that only look do not", () => {
  const looking = ["preflight", "adopt", "promote", "drain", "guard", "prove"];
  const all = names.flatMap((order) => orders[order].flatMap((phase) => stepFor(order, phase) ?? []));
  expect([...effectSteps].toSorted()).toEqual([...new Set(all)].filter((step) => !looking.includes(step)).toSorted());
});
