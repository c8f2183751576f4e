import { describe, expect, test } from "vitest";
import { policyLines } from "./policy-lines.ts";

const windows = {
  timeZone: "Europe/Berlin",
  open: [{ days: ["mon", "tue", "wed", "thu"], from: "22:00", to: "04:00" }],
};
const explained = {
  credential: "shop/orders",
  trouble: null,
  fields: [
    {
      ...{ field: "schedule", value: { every: "30d" }, from: "credential shop/orders" },
      overruled: [
        { from: "team shop", value: { every: "60d" } },
        { from: "default", value: "manual" },
      ],
    },
    {
      ...{ field: "windows", value: windows, from: "policy shop/nights" },
      overruled: [{ from: "environment production", value: windows }],
    },
    { field: "grace", value: "15m", from: "default", overruled: [] },
    { field: "attempts", value: 8, from: "default", overruled: [] },
  ],
};
const lines = policyLines(explained, 99);

describe("what rules a credential, on a screen", () => {
  test("has each value with who says it, and below whom that overrules", () => {
    expect(lines.slice(0, 3)).toEqual([
      "What rules shop/orders",
      "  schedule  { every: 30d }  credential shop/orders",
      "              instead of { every: 60d } (team shop), manual (default)",
    ]);
  });

  test("has a long value on a line of its own, in a manifest's words, and none is wider than the screen", () => {
    for (const width of [99, 85, 60]) {
      const narrow = policyLines(explained, width);
      const at = narrow.findIndex((line) =>
        line.startsWith("  windows   { timeZone: Europe/Berlin, open: [{ days: [mon,"),
      );
      expect(narrow.slice(at + 1).map((line) => line.trim())).toContain("policy shop/nights");
      expect(narrow.slice(0, -1).filter((line) => line.length > width || line.endsWith(":"))).toEqual([]);
    }
  });

  test("has what nobody says in one paragraph, and where to see when it is due", () => {
    expect(lines).toContain("  By default: grace 15m, attempts 8");
    expect(lines.at(-1)).toContain("rekey calendar --credential shop/orders");
    expect(policyLines({ ...explained, fields: explained.fields.slice(2) })).toContain("  Nobody says anything of it.");
  });

  test("says what can never run", () => {
    expect(policyLines({ ...explained, trouble: "maxAge 1m can never be kept" })).toContain(
      "It can never run: maxAge 1m can never be kept.",
    );
  });
});
