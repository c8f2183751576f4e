import { describe, expect, test } from "vitest";
import { advice } from "./error-advice.ts";
import { codes, type Code } from "./errors.ts";
import { decisions, decisionsFor, type Decision } from "./hold.ts";
import { orders, type Direction, type Order } from "./order.ts";

/** Answers that the advice names, where a hold of the code would refuse them: `order/direction/phase: answer`. */
function refusedIn(code: Code, text: string): readonly string[] {
  const named: readonly Decision[] = decisions.filter((decision) => text.includes(`\`${decision}\``));
  return (Object.keys(orders) as Order[]).flatMap((order) =>
    (["forward", "undo"] as const satisfies readonly Direction[]).flatMap((direction) =>
      orders[order]
        .filter((phase) => phase !== "closed")
        .flatMap((phase) => {
          const meanings = decisionsFor(order, phase, direction, code);
          return named
            .filter((decision) => !meanings[decision].allowed)
            .map((decision) => `${order}/${direction}/${phase}: ${decision}`);
        }),
    ),
  );
}

describe("advice", () => {
  test.each(Object.keys(codes) as Code[])("of %s never names an answer that a hold refuses", (code) => {
    expect(refusedIn(code, advice[code])).toEqual([]);
  });

  test("is caught where it names an answer that only some holds offer", () => {
    expect(refusedIn("custody_missing", "Choose `roll-back` on the hold.")).toContain(
      "overlap/forward/revoked: roll-back",
    );
    expect(refusedIn("death_unproven", "`accept` closes it.")).toContain("overlap/forward/drained: accept");
  });
});
