import fc from "fast-check";
import { expect, test } from "vitest";
import { bestWithoutChange, meets, strengths } from "./evidence.ts";

const anyStrength = fc.constantFrom(...strengths);

test("attested is stronger than observed, then acknowledged, then delivered", () => {
  expect(strengths).toEqual(["attested", "observed", "acknowledged", "delivered"]);
  expect(meets("attested", "observed")).toBe(true);
  expect(meets("observed", "attested")).toBe(false);
  expect(meets("acknowledged", "observed")).toBe(false);
  expect(meets("delivered", "acknowledged")).toBe(false);
});

test("each strength meets itself, and of two different ones exactly one meets the other", () => {
  fc.assert(
    fc.property(anyStrength, anyStrength, (a, b) => {
      expect(meets(a, a)).toBe(true);
      if (a !== b) expect(meets(a, b)).toBe(!meets(b, a));
    }),
  );
});

test("what meets a strength meets everything weaker", () => {
  fc.assert(
    fc.property(anyStrength, anyStrength, anyStrength, (a, b, c) => {
      fc.pre(meets(a, b) && meets(b, c));
      expect(meets(a, c)).toBe(true);
    }),
  );
});

test("the default is the strongest evidence that needs no change to the application", () => {
  expect(
    bestWithoutChange([
      { strength: "acknowledged", needsChange: false },
      { strength: "attested", needsChange: true },
      { strength: "observed", needsChange: false },
    ]),
  ).toBe("observed");
  expect(bestWithoutChange([{ strength: "attested", needsChange: false }])).toBe("attested");
});

test("with nothing on offer, or only what needs a change, the target can still be read back", () => {
  expect(bestWithoutChange([])).toBe("delivered");
  expect(bestWithoutChange([{ strength: "attested", needsChange: true }])).toBe("delivered");
});
