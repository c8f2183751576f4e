import { expect, it } from "vitest";
import { emptyList } from "./empty-list.ts";

it("an empty list says how to begin, and an empty choice from it names the filter", () => {
  expect(emptyList("rotation", { credential: undefined, open: undefined }, "Start one.")).toBe(
    "There is no rotation yet. Start one.",
  );
  expect(emptyList("rotation", { credential: "shop/orders", open: true }, "Start one.")).toBe(
    "No rotation fits --credential shop/orders --open. Leave that out to see all.",
  );
});
