import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { choiceNames, choicesFor, type ChoiceName } from "./choice.ts";
import { admit, type RotationState } from "./command.ts";
import { codes, type Code } from "./errors.ts";
import { decisions, decisionsFor } from "./hold.ts";
import { orders, type Direction, type Order, type Phase } from "./order.ts";

const state: RotationState = {
  order: "overlap",
  phase: "delivered",
  direction: "forward",
  urgent: false,
  paused: false,
  issueIntended: true,
  candidateVersion: 2,
  consumerIds: [],
  hold: { holdId: "hld_1", code: "evidence_missing", gaps: [] },
  conditions: { formerInCustody: true, compromised: false },
};

const anyHeld: fc.Arbitrary<RotationState> = fc
  .constantFrom(...(Object.keys(orders) as Order[]))
  .chain((order) =>
    fc.record({
      phase: fc.constantFrom<Phase>(...orders[order].filter((phase) => phase !== "closed")),
      direction: fc.constantFrom<Direction>("forward", "undo"),
      urgent: fc.boolean(),
      paused: fc.boolean(),
      hold: fc.constantFrom(...(Object.keys(codes) as Code[])).map((code) => ({ holdId: "hld_1", code, gaps: [] })),
      order: fc.constant(order),
    }),
  )
  .map((drawn) => ({ ...state, ...drawn }));

const one = (rotation: RotationState, name: ChoiceName) => choicesFor(rotation).find((choice) => choice.name === name);
const wait = (change: Partial<RotationState>) => one({ ...state, ...change }, "wait")?.text ?? "";

describe("what a person can do about a hold", () => {
  test("is exactly what is heard when they do it", () => {
    fc.assert(
      fc.property(anyHeld, (rotation) => {
        for (const { name, allowed } of choicesFor(rotation)) {
          if (name === "wait") continue;
          const command =
            name === "retry" || name === "roll-back" || name === "accept"
              ? ({ kind: "decide", holdId: "hld_1", decision: name, gaps: [] } as const)
              : ({ kind: name } as const);
          expect(admit(command, rotation).ok, `${name} in ${rotation.phase}`).toBe(allowed);
        }
      }),
    );
  });

  test("is told in whole sentences, the answers by the table of decisions", () => {
    fc.assert(
      fc.property(anyHeld, (rotation) => {
        const { order, phase, direction, hold, conditions } = rotation;
        const answers = decisionsFor(order, phase, direction, hold?.code ?? "internal", conditions);
        const choices = choicesFor(rotation);
        for (const decision of decisions)
          expect(choices.find(({ name }) => name === decision)).toMatchObject({
            text: answers[decision].text,
            allowed: answers[decision].allowed,
          });
        for (const { name, text } of choices) {
          expect(choiceNames).toContain(name);
          expect(text).toMatch(/^[A-Z].+\.$/);
        }
      }),
    );
  });

  test("needs a reason only where somebody answers for a gap", () => {
    const asking = choicesFor(state).filter(({ needsReason }) => needsReason);
    expect(asking.map(({ name }) => name)).toEqual(["accept"]);
    const refused = choicesFor({ ...state, hold: { holdId: "hld_1", code: "target_drift", gaps: [] } });
    expect(refused.some(({ needsReason }) => needsReason)).toBe(false);
  });

  test("offers to resume what is paused, and to pause what is not", () => {
    expect([one(state, "pause")?.allowed, one(state, "resume")]).toEqual([true, undefined]);
    const paused = { ...state, paused: true };
    expect([one(paused, "pause"), one(paused, "resume")?.allowed]).toEqual([undefined, true]);
  });

  test("says of an undo why it is not paused and not aborted", () => {
    const undo = { ...state, direction: "undo" } as const;
    expect(one(undo, "pause")).toMatchObject({
      allowed: false,
      text: expect.stringContaining("An undo is not paused"),
    });
    expect(one(undo, "abort")).toMatchObject({ allowed: false });
  });

  test("is nothing without a hold", () => {
    expect(choicesFor({ ...state, hold: undefined })).toEqual([]);
  });
});

describe("to wait says who can log in meanwhile", () => {
  test("while both versions are valid, or the old one is shut", () => {
    expect(wait({})).toContain("Both versions stay valid");
    expect(wait({ phase: "reserved" })).toContain("Nothing was delivered");
    expect(wait({ phase: "disabled" })).toContain("who still needs it cannot log in, until you roll back");
    expect(wait({ phase: "revoked" })).toContain("is ended or about to be");
    expect(wait({ direction: "undo" })).toContain("The undo stays where it is");
  });

  test("in a single slot, before and after the cut", () => {
    expect(wait({ order: "single-slot", phase: "staged" })).toContain("The former value stays in force");
    expect(wait({ order: "single-slot", phase: "cut" })).toContain("who has not got it yet cannot log in");
  });

  test("when the old version ended first", () => {
    expect(wait({ order: "contain-first", phase: "issued" })).toContain("Both versions stay valid");
    expect(wait({ order: "contain-first", phase: "proven" })).toContain("who has not got the new one cannot log in");
  });
});
