import { expect, test } from "vitest";
import { explainPolicy } from "./explain-policy.ts";
import { defaultPolicy } from "./policy.ts";

const levels = [
  { from: "credential shop/orders", policy: { graceMs: 5 } },
  { from: "team shop", policy: { graceMs: 7, attempts: 3 } },
  { from: "environment production", policy: { maxAgeMs: 9 } },
];
const fieldOf = (field: string, from = levels) => explainPolicy(from).find((one) => one.field === field);

test("each value is shown with who says it and who was overruled", () => {
  expect(fieldOf("graceMs")).toEqual({
    ...{ field: "graceMs", value: 5, from: "credential shop/orders" },
    overruled: [
      { from: "team shop", value: 7 },
      { from: "default", value: defaultPolicy.graceMs },
    ],
  });
  expect(fieldOf("attempts")).toMatchObject({ value: 3, from: "team shop" });
  expect(fieldOf("maxAgeMs")).toEqual({ field: "maxAgeMs", value: 9, from: "environment production", overruled: [] });
  expect(fieldOf("lookEveryMs")).toEqual({
    ...{ field: "lookEveryMs", value: defaultPolicy.lookEveryMs, from: "default", overruled: [] },
  });
  expect(fieldOf("graceMaxMs")).toBeUndefined();
});

test("the fields come in one order, whoever says them", () => {
  const names = (from: typeof levels) => explainPolicy(from).map(({ field }) => field);
  const [first, ...rest] = names(levels);
  expect(first).toBe("schedule");
  expect(names(levels.toReversed())).toEqual([first, ...rest]);
  // With one that no default says, the others stay where they were.
  expect(rest).toContain("maxAgeMs");
  expect(names([])).toEqual([first, ...rest].filter((field) => field !== "maxAgeMs"));
});

test("a grace that is bounded names the bound and who says that", () => {
  const bounds = { from: "environment production", policy: { graceMinMs: 60, graceMaxMs: 90 } };
  expect(fieldOf("graceMs", [...levels, bounds] as never)).toMatchObject({
    ...{ value: 60, from: "environment production, by graceMin" },
    overruled: [{ value: 5 }, { value: 7 }, { from: "default" }],
  });
  expect(fieldOf("graceMs", [bounds] as never)).toMatchObject({
    value: 90,
    from: "environment production, by graceMax",
  });
});
