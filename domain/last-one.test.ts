import { expect, it } from "vitest";
import { lastOneOf } from "./last-one.ts";

it("the last one is the only consumer that keeps a rotation of several, whatever it lacks", () => {
  expect(lastOneOf([{ consumerId: "con_a" }, { consumerId: "con_a" }], 3)).toBe("con_a");
});

it("there is none while two keep it, while something else does too, and where there is one consumer only", () => {
  expect(lastOneOf([{ consumerId: "con_a" }, { consumerId: "con_b" }], 3)).toBeUndefined();
  expect(lastOneOf([{ consumerId: "con_a" }, {}], 3)).toBeUndefined();
  expect(lastOneOf([{}], 3)).toBeUndefined();
  expect(lastOneOf([{ consumerId: "con_a" }], 1)).toBeUndefined();
  expect(lastOneOf([], 3)).toBeUndefined();
});
