import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { orders, placeOf, stepFor, type Order, type Phase, type Step } from "./order.ts";
import { longestWaitMs, mayAct, type Standing } from "./standing.ts";

const names = Object.keys(orders) as Order[];
const standing: Standing = {
  order: "overlap",
  phase: "delivered",
  direction: "forward",
  paused: false,
  isOnHold: false,
  waitMs: 0,
};
const ask = (step: Step | "undo", change: Partial<Standing> = {}) => mayAct(step, { ...standing, ...change });
const everyStep = [
  "preflight",
  ...new Set(names.flatMap((order) => orders[order].flatMap((phase) => stepFor(order, phase) ?? []))),
] as Step[];
/** An order with one of its phases that is open. */
const anyPlace = fc
  .constantFrom(...names)
  .chain((order) =>
    fc.tuple(fc.constant(order), fc.constantFrom<Phase>(...orders[order].filter((phase) => phase !== "closed"))),
  );

describe("a step going forward", () => {
  test("acts exactly where it is the one that leads on, and elsewhere lies behind", () => {
    fc.assert(
      fc.property(anyPlace, fc.constantFrom(...everyStep), ([order, phase], step) => {
        const isDue = step === "preflight" ? placeOf(order, phase) === 0 : stepFor(order, phase) === step;
        expect(ask(step, { order, phase })).toEqual(isDue ? "act" : { now: "done" });
      }),
    );
  });

  test("is repeated freely while it is preflight, before anything was done", () => {
    expect(ask("preflight", { phase: "reserved" })).toBe("act");
    expect(ask("issue", { phase: "reserved" })).toBe("act");
    expect(ask("preflight", { phase: "issued" })).toEqual({ now: "done" });
  });

  test("tells that the rotation is being undone, wherever it stands", () => {
    fc.assert(
      fc.property(anyPlace, fc.constantFrom(...everyStep), fc.boolean(), ([order, phase], step, isOnHold) => {
        expect(ask(step, { order, phase, isOnHold, direction: "undo" })).toEqual({ now: "undo" });
      }),
    );
  });
});

describe("the undo", () => {
  test("acts wherever the rotation is being undone, paused or not", () => {
    fc.assert(
      fc.property(anyPlace, fc.boolean(), ([order, phase], paused) => {
        expect(ask("undo", { order, phase, paused, direction: "undo" })).toBe("act");
      }),
    );
  });

  test("has nothing to do while the rotation goes forward", () => {
    expect(ask("undo")).toEqual({ now: "done" });
  });
});

describe("nothing acts", () => {
  test("once the rotation is closed, whichever way it went", () => {
    for (const step of [...everyStep, "undo"] as const)
      for (const direction of ["forward", "undo"] as const)
        expect(ask(step, { phase: "closed", direction })).toEqual({ now: "over" });
  });

  test("on hold, forward or back, nor while paused on its way forward", () => {
    const longest = { now: "wait", waitMs: longestWaitMs };
    expect(ask("adopt", { isOnHold: true })).toEqual(longest);
    expect(ask("undo", { isOnHold: true, direction: "undo" })).toEqual(longest);
    expect(ask("adopt", { paused: true })).toEqual(longest);
    expect(ask("adopt", { paused: true, waitMs: 5 })).toEqual(longest);
  });

  test("before its time; and no wait is longer than the ledger may go unread", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 * longestWaitMs }), (waitMs) => {
        expect(ask("adopt", { waitMs })).toEqual({ now: "wait", waitMs: Math.min(waitMs, longestWaitMs) });
      }),
    );
    expect(ask("adopt", { waitMs: 0 })).toBe("act");
  });

  test("but what lies behind does not wait: the story passes it on the way to where the rotation is", () => {
    expect(ask("issue", { isOnHold: true, paused: true, waitMs: 5 })).toEqual({ now: "done" });
  });
});
