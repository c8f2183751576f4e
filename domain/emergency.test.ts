import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { courseOf, type Course, type Demand, type Running } from "./emergency.ts";
import { contains, isOneSlot, orders, placeOf, type Order, type Phase } from "./order.ts";

const names = Object.keys(orders) as Order[];
const begun = (order: Order): Phase => (isOneSlot(order) ? "staged" : "issued");

/** As they can be: nothing is delivered or taken back of a candidate that was never begun. */
const anyRunning: fc.Arbitrary<Running> = fc
  .constantFrom(...names)
  .chain((order) =>
    fc.record({
      order: fc.constant(order),
      phase: fc.constantFrom<Phase>(...orders[order].filter((phase) => phase !== "closed")),
      direction: fc.constantFrom("forward" as const, "undo" as const),
      urgent: fc.boolean(),
      isCandidateBegun: fc.boolean(),
      isCandidateLeaving: fc.boolean(),
      isTouched: fc.boolean(),
      formerInCustody: fc.boolean(),
    }),
  )
  .map((given) => {
    const isCandidateBegun =
      given.isCandidateBegun || placeOf(given.order, given.phase) >= placeOf(given.order, begun(given.order));
    const isUndo = given.direction === "undo";
    return {
      ...given,
      ...{ fromVersion: 5, toVersion: 6, isCandidateBegun },
      isTouched:
        given.isTouched &&
        placeOf(given.order, given.phase) >= placeOf(given.order, isOneSlot(given.order) ? "cut" : "issued"),
      isCandidateLeaving: given.isCandidateLeaving && isCandidateBegun && isUndo,
    };
  });

const anyDemand: fc.Arbitrary<Demand> = fc.record({
  versions: fc.constantFrom([5], [6], [5, 6]),
  contain: fc.boolean(),
});

const always = (holds: (demand: Demand, running: Running, course: Course) => void): void =>
  fc.assert(
    fc.property(anyDemand, anyRunning, (demand, running) => holds(demand, running, courseOf(demand, running))),
    { numRuns: 2_000 },
  );

describe("what becomes of a running rotation when versions have leaked", () => {
  test("a candidate that has leaked is never made use of: nothing joins, upgrades or turns forward on it", () => {
    always(({ versions }, { isCandidateBegun, toVersion }, { how }) => {
      if (isCandidateBegun && versions.includes(toVersion)) expect(how).toBe("successor");
    });
  });

  test("a candidate that is begun, clean and not yet given up is never given up", () => {
    always(({ versions }, running, { direction, how }) => {
      const { isCandidateBegun, isCandidateLeaving, toVersion } = running;
      if (!isCandidateBegun || isCandidateLeaving || versions.includes(toVersion)) return;
      expect(direction).toBe("forward");
      expect(how).not.toBe("successor");
    });
  });

  test("invariant 10: nobody is brought back to a former version that has leaked", () => {
    always(({ versions }, running, { direction }) => {
      const { isTouched, isCandidateLeaving, fromVersion } = running;
      if (isTouched && !isCandidateLeaving && versions.includes(fromVersion)) expect(direction).toBe("forward");
    });
  });

  test("a single slot whose former value has leaked never gets that back", () => {
    always(({ versions }, running, { direction }) => {
      const { order, phase, isCandidateLeaving } = running;
      const isCut = isOneSlot(order) && placeOf(order, phase) >= placeOf(order, "cut");
      if (isCut && !isCandidateLeaving && versions.includes(5)) expect(direction).toBe("forward");
    });
  });

  test("who contains goes on in an order that contains, unless the former version is ending already", () => {
    always(({ contain, versions }, _, { order, direction, phase, how }) => {
      if (!contain || direction === "undo" || (how === "successor" && !versions.includes(5))) return;
      const isEnding = placeOf(order, phase) >= placeOf(order, isOneSlot(order) ? "ended" : "revoking");
      expect(contains(order) || isEnding).toBe(true);
    });
  });

  test("its phase is one of its order, and never further than the rotation was", () => {
    always((_, running, { order, phase }) => {
      expect(placeOf(order, phase)).toBeGreaterThanOrEqual(0);
      if (order === running.order) expect(placeOf(order, phase)).toBeLessThanOrEqual(placeOf(order, running.phase));
    });
  });

  test("asked again of the rotation as it is then, it stays as it is", () => {
    always((demand, running, { order, phase, direction }) => {
      const then: Running = { ...running, order, phase, direction, urgent: true };
      const again = courseOf(demand, then);
      expect({ order: again.order, phase: again.phase, direction: again.direction }).toEqual({
        order,
        phase,
        direction,
      });
    });
  });
});

describe("by example", () => {
  const running: Running = {
    ...{ order: "overlap", phase: "promoted", direction: "forward", urgent: false, fromVersion: 5, toVersion: 6 },
    ...{ isCandidateBegun: true, isCandidateLeaving: false, isTouched: true, formerInCustody: true },
  };
  const of = (demand: Partial<Demand>, changed: Partial<Running> = {}): string => {
    const course = courseOf({ versions: [5], contain: false, ...demand }, { ...running, ...changed });
    return `${course.how}: ${course.order}, ${course.phase}, ${course.direction}`;
  };

  test("the former one has leaked", () => {
    expect(of({})).toBe("upgrade: overlap, promoted, forward");
    expect(of({}, { urgent: true })).toBe("join: overlap, promoted, forward");
    expect(of({ contain: true })).toBe("upgrade: contain-first, issued, forward");
    expect(of({ contain: true }, { phase: "revoked" })).toBe("upgrade: overlap, revoked, forward");
    expect(of({}, { direction: "undo", phase: "delivered" })).toBe("turn-forward: overlap, issued, forward");
  });

  test("the candidate has leaked", () => {
    expect(of({ versions: [6] })).toBe("successor: overlap, promoted, undo");
    expect(of({ versions: [6] }, { phase: "revoking" })).toBe("successor: overlap, revoking, forward");
    expect(of({ versions: [6] }, { direction: "undo" })).toBe("successor: overlap, promoted, undo");
  });

  test("both have leaked", () => {
    expect(of({ versions: [5, 6] })).toBe("successor: overlap, promoted, forward");
    expect(of({ versions: [5, 6] }, { phase: "issued", isTouched: false })).toBe("successor: overlap, issued, undo");
    expect(of({ versions: [5, 6] }, { order: "single-slot", phase: "delivered" })).toBe(
      "successor: contain-single-slot, cut, forward",
    );
    expect(of({ versions: [5, 6] }, { order: "single-slot", phase: "staged", isTouched: false })).toBe(
      "successor: single-slot, staged, undo",
    );
  });

  test("before anything is made the rotation that runs is the one that is needed", () => {
    const reserved = { phase: "reserved", isCandidateBegun: false, isTouched: false } as const;
    expect(of({ versions: [5, 6], contain: true }, reserved)).toBe("upgrade: contain-first, reserved, forward");
    expect(of({}, { ...reserved, direction: "undo" })).toBe("successor: overlap, reserved, undo");
  });
});
