import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { codes, type Code } from "./errors.ts";
import { decisions, decisionsFor, type DecisionMeaning } from "./hold.ts";
import { isPastReturn, orders, type Direction, type Order, type Phase } from "./order.ts";

const names = Object.keys(orders) as Order[];
const allCodes = Object.keys(codes) as Code[];
const anyHold = fc.constantFrom(...names).chain((order) =>
  fc.record({
    order: fc.constant(order),
    phase: fc.constantFrom<Phase>(...orders[order]),
    direction: fc.constantFrom<Direction>("forward", "undo"),
    code: fc.constantFrom(...allCodes),
    conditions: fc.record({ formerInCustody: fc.boolean(), compromised: fc.boolean() }),
  }),
);

function accept(order: Order, phase: Phase, direction: Direction, code: Code): DecisionMeaning {
  return decisionsFor(order, phase, direction, code).accept;
}

/** All places in which accepting this code is answered by this test, as `order/direction/phase`. */
function places(code: Code, holds: (meaning: DecisionMeaning) => boolean): string[] {
  return names.flatMap((order) =>
    (["forward", "undo"] as const).flatMap((direction) =>
      orders[order]
        .filter((phase) => holds(accept(order, phase, direction, code)))
        .map((phase) => `${order}/${direction}/${phase}`),
    ),
  );
}

const unproven = (meaning: DecisionMeaning): boolean => meaning.outcome === "closed-unproven";

describe("retry and roll-back", () => {
  test("an open hold can always be retried, and the text names the step and the reason", () => {
    fc.assert(
      fc.property(anyHold, ({ order, phase, direction, code }) => {
        const { retry } = decisionsFor(order, phase, direction, code);
        expect(retry.allowed).toBe(phase !== "closed");
        if (retry.allowed) expect(retry.text).toContain(codes[code]);
      }),
    );
    expect(decisionsFor("overlap", "issued", "forward", "target_drift").retry.text).toBe(
      "Tries the step deliver again: it brings the new version to each consumer that has not got it yet. Do it once this is no longer so: Somebody else changed the target. What is still open then is asked about anew.",
    );
    expect(decisionsFor("overlap", "issued", "undo", "candidate_in_use").retry.text).toContain(
      "Tries the undo from issued again. Do it once this is no longer so: The candidate is still in use.",
    );
  });

  test("retry counts changed consumers anew as long as nothing is changed, and says that it does not later", () => {
    const text = (phase: Phase, direction: Direction = "forward") =>
      decisionsFor("overlap", phase, direction, "registration_changed").retry.text;
    expect(text("reserved")).toContain("count as they are registered now");
    expect(text("delivered")).toContain("does not help");
    expect(text("delivered")).not.toContain("registered now");
    expect(text("reserved", "undo")).not.toContain("registered now");
  });

  test("invariant 10: roll-back is allowed exactly going forward before the point of no return", () => {
    fc.assert(
      fc.property(anyHold, ({ order, phase, direction, code, conditions }) => {
        const rollBack = decisionsFor(order, phase, direction, code, conditions)["roll-back"];
        expect(rollBack.allowed).toBe(
          phase !== "closed" && direction === "forward" && !isPastReturn(order, phase, conditions),
        );
      }),
    );
  });

  test("roll-back says what it does or why it is refused", () => {
    const text = (phase: Phase, direction: Direction, order: Order = "overlap"): string =>
      decisionsFor(order, phase, direction, "internal", { formerInCustody: true, compromised: false })["roll-back"]
        .text;
    expect(text("reserved", "forward")).toContain("Nobody was given the new version");
    expect(text("issued", "forward")).toContain("each consumer that got the new version gets the former one back");
    expect(text("disabled", "forward")).toBe(
      "Undoes the rotation as far as it has come: the former version may log in again; it is the current one again; each consumer that got the new version gets the former one back; nobody may be seen on the new version any more; the new version is ended and seen refused.",
    );
    expect(text("delivered", "forward")).not.toContain("may log in again");
    expect(text("delivered", "forward", "single-slot")).toContain("the former value is set again at the issuer");
    expect(text("delivered", "undo")).toContain("already being undone");
    expect(text("revoked", "forward")).toContain("past its point of no return");
    expect(text("closed", "forward")).toContain("closed");
  });
});

describe("accept", () => {
  test("before the first effect only a target that is to be made new can be accepted, and after the end nothing", () => {
    for (const order of names) {
      for (const code of allCodes) {
        for (const direction of ["forward", "undo"] as const) {
          const isAsked = (code === "target_unused" && direction === "forward") || code === "emergency_overdue";
          expect(accept(order, "reserved", direction, code)).toMatchObject({ allowed: isAsked });
          expect(accept(order, "closed", direction, code)).toMatchObject({ allowed: false });
        }
      }
      expect(accept(order, "reserved", "forward", "no_consumers").text).toContain("nothing to accept");
    }
  });

  test("a target that is to be made new can be accepted until it is written, and the text says what is at stake", () => {
    for (const phase of ["reserved", "issued", "delivered", "promoted"] as const) {
      const { allowed, text } = accept("overlap", phase, "forward", "target_unused");
      expect(allowed, phase).toBe(true);
      expect(text).toContain("loses its login once the old version ends");
    }
    expect(accept("overlap", "delivered", "undo", "target_unused").allowed).toBe(false);
  });

  test("invariant 5: no decision makes a rotation close as proven", () => {
    fc.assert(
      fc.property(anyHold, ({ order, phase, direction, code, conditions }) => {
        const meanings = decisionsFor(order, phase, direction, code, conditions);
        for (const decision of decisions) {
          expect([undefined, "closed-unproven"]).toContain(meanings[decision].outcome);
          if (!meanings[decision].allowed) expect(meanings[decision].outcome).toBeUndefined();
        }
      }),
    );
  });

  test("invariant 5: a death accepted without proof closes as closed-unproven, and only where something was ended", () => {
    const where = [
      ...["overlap/forward/revoking", "overlap/forward/revoked", "overlap/undo/issued"],
      ...["contain-first/forward/revoking", "contain-first/forward/revoked", "contain-first/undo/issued"],
      ...["contain-in-place/forward/revoking", "contain-in-place/forward/revoked", "contain-in-place/forward/issued"],
      "contain-in-place/undo/issued",
      ...["contain-unproven/forward/revoking", "contain-unproven/forward/revoked", "contain-unproven/undo/issued"],
      ...["single-slot/forward/drained", "single-slot/forward/ended"],
      ...["single-slot/undo/staged", "single-slot/undo/cut"],
      ...["contain-single-slot/forward/cut", "contain-single-slot/forward/ended"],
      ...["contain-single-slot/undo/staged", "contain-single-slot/undo/cut"],
      ...["contain-slot-unproven/forward/cut", "contain-slot-unproven/forward/ended"],
      ...["contain-slot-unproven/undo/staged", "contain-slot-unproven/undo/cut"],
    ];
    expect(places("death_unproven", unproven)).toEqual(where);
    expect(places("death_unproven", (meaning) => meaning.allowed)).toEqual(where);
    expect(accept("overlap", "revoked", "forward", "death_unproven").text).toContain("never as proven");
    expect(accept("overlap", "issued", "forward", "death_unproven").text).toContain("no death to accept");
  });

  test("sessions that do not end after the revocation count as a death without proof", () => {
    expect(places("still_in_use", unproven)).toEqual([
      ...["overlap/forward/revoking", "overlap/forward/revoked"],
      ...["contain-first/forward/revoking", "contain-first/forward/revoked"],
      ...["contain-in-place/forward/revoking", "contain-in-place/forward/revoked", "contain-in-place/forward/issued"],
      ...["contain-unproven/forward/revoking", "contain-unproven/forward/revoked"],
      ...["single-slot/forward/drained", "single-slot/forward/ended"],
      ...["contain-single-slot/forward/cut", "contain-single-slot/forward/ended"],
      ...["contain-slot-unproven/forward/cut", "contain-slot-unproven/forward/ended"],
    ]);
  });

  test("an issuer that can no longer be asked, or a value that is lost, lets only the proof be given up", () => {
    const where = [
      ...["overlap/forward/revoked", "contain-first/forward/revoked", "contain-in-place/forward/issued"],
      "single-slot/forward/ended",
      "contain-single-slot/forward/ended",
    ];
    for (const code of [
      "issuer_unreachable",
      "issuer_auth_failed",
      "issuer_identity_changed",
      "issuer_in_recovery",
      "transport_unverified",
      "custody_missing",
      "custody_unreadable",
      "custody_key_missing",
    ] as const) {
      expect(places(code, unproven), code).toEqual(where);
      expect(
        places(code, (meaning) => meaning.allowed),
        code,
      ).toEqual(where);
    }
  });

  test("gaps of the guard may be accepted, and the text says who may break", () => {
    for (const code of [
      "evidence_missing",
      "stranger_seen",
      "still_in_use",
      "candidate_in_use",
      "registration_changed",
      "no_consumers",
      "consumer_unhealthy",
    ] as const) {
      const forward = accept("overlap", "drained", "forward", code);
      expect(forward.allowed, code).toBe(true);
      expect(forward.text).toContain("may break the consumers named in the gaps; the decision is recorded");
      expect(forward.text).not.toContain("point of no return");
      expect(accept("overlap", "disabled", "forward", code).text).toContain("crosses the point of no return at once");
      expect(forward.outcome).toBeUndefined();
      const undo = accept("overlap", "issued", "undo", code);
      expect(undo.allowed, code).toBe(true);
      expect(undo.text).toContain("ending the candidate may break");
    }
  });

  test("a consumer that cannot be restored is left only during undo, and the guard still asks", () => {
    expect(accept("overlap", "delivered", "undo", "restore_failed")).toMatchObject({
      allowed: true,
    });
    expect(accept("overlap", "delivered", "undo", "restore_failed").text).toContain("the guard still asks");
    expect(accept("overlap", "delivered", "forward", "restore_failed").allowed).toBe(false);
  });

  test("a reload that failed may be done by a person", () => {
    expect(accept("overlap", "issued", "forward", "reload_failed")).toMatchObject({
      allowed: true,
    });
    expect(accept("overlap", "issued", "forward", "reload_failed").text).toContain("restart it yourself");
  });

  test("invariant 12: what somebody else changed is never accepted away, nor is anything unnamed", () => {
    for (const code of ["target_drift", "value_unfit", "claim_outdated", "connection_changed", "internal"] as const) {
      expect(
        places(code, (meaning) => meaning.allowed),
        code,
      ).toEqual([]);
      expect(accept("overlap", "issued", "forward", code).text).toContain("cannot be accepted");
    }
  });

  test("each answer is a sentence", () => {
    fc.assert(
      fc.property(anyHold, ({ order, phase, direction, code, conditions }) => {
        const meanings = decisionsFor(order, phase, direction, code, conditions);
        expect(Object.keys(meanings)).toEqual([...decisions]);
        for (const decision of decisions) expect(meanings[decision].text).toMatch(/^[A-Z].+\.$/);
      }),
    );
  });
});
