import { expect, test } from "vitest";
import type { Outcome, Phase } from "../domain/order.ts";
import { shownPhases } from "./shown-phases.ts";

const marked = (phase: Phase, outcome: Outcome | null) =>
  shownPhases({ order: "overlap", phase, outcome }).map(({ phase: name, state, isPointOfNoReturn }) => {
    const mark = { done: "+", here: ">", "to come": "" }[state];
    return `${isPointOfNoReturn ? "| " : ""}${mark}${name}`;
  });

test("an open rotation has the phases behind it, the one it is in, and those to come", () => {
  expect(marked("adopted", null).join(" ")).toBe(
    "+reserved +issued +delivered >adopted promoted drained disabled | revoking revoked proven closed",
  );
});

test("of one that was undone nothing is so any more, whatever it had reached", () => {
  const undone = "reserved issued delivered adopted promoted drained disabled | revoking revoked proven +closed";
  expect(marked("closed", "undone").join(" ")).toBe(undone);
  expect(marked("closed", "failed-before-effect").join(" ")).toBe(undone);
});

test("a death without proof is not shown as one", () => {
  expect(marked("closed", "proven").every((one) => one.includes("+"))).toBe(true);
  expect(marked("closed", "closed-unproven").filter((one) => !one.includes("+"))).toEqual(["proven"]);
});
