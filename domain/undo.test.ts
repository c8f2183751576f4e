import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isPastReturn, nextPhase, orders, stepFor, type Order, type Phase } from "./order.ts";
import { undoActions, type UndoInput } from "./undo.ts";

const names = Object.keys(orders) as Order[];
const returnable = { formerInCustody: true, compromised: false };

function saysOf(input: UndoInput): string[] | undefined {
  return undoActions(input)?.map(({ phase, does, consumers }) =>
    consumers === undefined ? `${phase}: ${does}` : `${phase}: ${does} ${consumers.join(" ")}`,
  );
}

const ending = [
  "issued: guard-candidate",
  "issued: abandon",
  "issued: prove-refused",
  "issued: forget",
  "reserved: close",
];

describe("the undo of an overlap", () => {
  test("from disabled it enables, demotes, restores, and only then ends the candidate", () => {
    expect(saysOf({ order: "overlap", phase: "disabled", touched: ["con_a", "con_b"] })).toEqual([
      "disabled: enable",
      "promoted: demote",
      "delivered: restore con_a con_b",
      ...ending,
    ]);
  });

  test("from reserved there is nothing to do but to close", () => {
    expect(saysOf({ order: "overlap", phase: "reserved", touched: [] })).toEqual(["reserved: close"]);
  });

  test("from issued, consumers that a delivery has already touched are restored first", () => {
    expect(saysOf({ order: "overlap", phase: "issued", touched: ["con_a"] })).toEqual([
      "issued: restore con_a",
      ...ending,
    ]);
    expect(saysOf({ order: "overlap", phase: "issued", touched: [] })).toEqual(ending);
  });

  test("invariant 2: a step that had begun is undone as if it were done", () => {
    expect(saysOf({ order: "overlap", phase: "reserved", touched: [], begunNext: true })).toEqual(ending);
    expect(saysOf({ order: "overlap", phase: "drained", touched: [], begunNext: true })?.[0]).toBe("disabled: enable");
    expect(saysOf({ order: "overlap", phase: "drained", touched: [], begunNext: false })?.[0]).toBe("promoted: demote");
  });

  test("a guard that was asked and not passed leaves the undo open", () => {
    expect(saysOf({ order: "overlap", phase: "disabled", touched: [], begunNext: true })?.[0]).toBe("disabled: enable");
    expect(saysOf({ order: "contain-first", phase: "issued", touched: [], begunNext: true })).toEqual(ending);
  });
});

describe("the undo of a single slot", () => {
  test("sets the former value again, asks for proof after it, then forgets the candidate", () => {
    const input = {
      order: "single-slot",
      phase: "promoted",
      touched: ["con_a"],
      conditions: returnable,
    } as const;
    expect(saysOf(input)).toEqual([
      "promoted: demote",
      "delivered: restore con_a",
      "cut: cut-back",
      "cut: guard-candidate",
      "cut: prove-refused",
      "staged: forget",
      "reserved: close",
    ]);
  });

  test("restores what a delivery touched before the cut is taken back", () => {
    const input = {
      order: "single-slot",
      phase: "cut",
      touched: ["con_a"],
      conditions: returnable,
    } as const;
    expect(saysOf(input)?.slice(0, 2)).toEqual(["cut: restore con_a", "cut: cut-back"]);
  });

  test("a cut that had begun counts as done, and is refused with a former value that is compromised or gone", () => {
    const staged = { order: "single-slot", phase: "staged", touched: [], begunNext: true } as const;
    expect(saysOf({ ...staged, conditions: returnable })?.[0]).toBe("cut: cut-back");
    expect(saysOf({ ...staged, conditions: { formerInCustody: true, compromised: true } })).toBeUndefined();
    expect(saysOf(staged)).toBeUndefined();
    expect(saysOf({ ...staged, begunNext: false })).toEqual(["staged: forget", "reserved: close"]);
  });
});

const anyUndo: fc.Arbitrary<UndoInput> = fc.constantFrom(...names).chain((order) =>
  fc.record({
    order: fc.constant(order),
    phase: fc.constantFrom<Phase>(...orders[order]),
    touched: fc.subarray(["con_a", "con_b", "con_c"]),
    conditions: fc.record({ formerInCustody: fc.boolean(), compromised: fc.boolean() }),
    begunNext: fc.boolean(),
  }),
);

describe("invariant 10: whatever the input", () => {
  test("nothing past the point of no return is undone, and anything before it is", () => {
    fc.assert(
      fc.property(anyUndo, (input) => {
        const { order, phase, conditions } = input;
        const done = undoActions(input) !== undefined;
        if (isPastReturn(order, phase, conditions)) expect(done).toBe(false);
        else if (input.begunNext !== true || stepFor(order, phase) === "guard") expect(done).toBe(true);
        else expect(done).toBe(!isPastReturn(order, nextPhase(order, phase) ?? phase, conditions));
      }),
    );
  });

  test("touched consumers are restored exactly once, before the candidate is ended", () => {
    fc.assert(
      fc.property(anyUndo, (input) => {
        const does = undoActions(input)?.map((action) => action.does) ?? [];
        fc.pre(does.some((what) => what === "abandon" || what === "cut-back"));
        const restores = does.filter((what) => what === "restore");
        expect(restores).toHaveLength(input.touched.length === 0 ? 0 : 1);
        expect(does.indexOf("restore")).toBeLessThan(
          does.findIndex((what) => what === "abandon" || what === "cut-back"),
        );
      }),
    );
  });

  test("a candidate that was at the issuer is guarded, then seen refused, then forgotten, and closing is last", () => {
    fc.assert(
      fc.property(anyUndo, (input) => {
        const does = undoActions(input)?.map((action) => action.does);
        fc.pre(does !== undefined);
        expect(does.at(-1)).toBe("close");
        fc.pre(does.includes("abandon") || does.includes("cut-back"));
        const order = ["guard-candidate", "prove-refused", "forget"].map((what) => does.indexOf(what as "forget"));
        expect(order).toEqual(order.toSorted((a, b) => a - b));
        expect(order[0]).toBeGreaterThanOrEqual(0);
        if (does.includes("abandon")) expect(does.indexOf("abandon")).toBeGreaterThan(order[0] as number);
      }),
    );
  });
});
