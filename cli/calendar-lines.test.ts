import { describe, expect, test } from "vitest";
import { calendarLines, freezeLines, type Freeze } from "./calendar-lines.ts";

const entry = {
  credential: "shop/orders",
  environment: "production",
  criticality: "high",
  dueAt: "2027-01-04T06:30:00.000Z",
  because: "schedule",
  beginsAt: "2027-01-07T08:00:00.000Z",
  rotation: null,
  since: null,
  why: [] as string[],
};
const running = {
  ...entry,
  credential: "shop/cart",
  state: "running",
  rotation: "rot_1",
  since: "2027-01-06T08:00:00Z",
} as const;
const due = { ...entry, state: "due" } as const;
const upcoming = { ...entry, credential: "shop/pay", state: "upcoming", dueAt: entry.beginsAt } as const;

const freeze: Freeze = {
  ...{ id: "frz_1", team: "shop", environment: null, reason: "The week of the big sale", declaredBy: "tok_1" },
  ...{ from: "2027-01-01T00:00:00Z", until: "2027-01-09T07:00:00Z", endedAt: null, isActive: true },
};

type Given = Partial<Parameters<typeof calendarLines>[0]>;
const linesOf = (given: Given) =>
  calendarLines({
    now: "2027-01-06T08:30:00.000Z",
    until: "2027-01-20T08:30:00.000Z",
    entries: [],
    freezes: [],
    isMore: false,
    ...given,
  });

describe("the calendar on a screen", () => {
  test("has what runs, what is due and what comes next apart, whatever order they come in", () => {
    expect(linesOf({ entries: [upcoming, due, running] })).toEqual([
      "It is 2027-01-06 08:30 UTC, as all times here are.",
      "",
      "Running",
      "  shop/cart  production  high  since 2027-01-06 08:00  rot_1",
      "",
      "Due",
      "  shop/orders  production  high  by its schedule  for 2d 2h",
      "",
      "Next, until 2027-01-20 08:30",
      "  2027-01-07 08:00  shop/pay  production  high  by its schedule",
    ]);
  });

  test("says below each what it waits for: a line each for what is due, one for what comes", () => {
    const why = ["its window opens 2027-01-07 08:00 UTC", "a freeze lasts until 2027-01-09 07:00 UTC: sale"];
    const lines = linesOf({
      entries: [
        { ...due, why },
        { ...upcoming, dueAt: "2027-01-06T22:00:00Z", why },
      ],
    });
    expect(lines).toContain(`      waits: ${why[0]}`);
    expect(lines).toContain(`      waits: ${why[1]}`);
    expect(lines.slice(-2).join("\n")).toMatch(
      /^ {6}due 2027-01-06 22:00; then its window opens 2027-01-07 08:00 UTC; a f/,
    );
  });

  test("says that something never begins, that there is more, and that nothing is due", () => {
    expect(linesOf({ entries: [{ ...upcoming, beginsAt: null }] }).at(-1)).toMatch(/^ {2}never +shop\/pay/);
    expect(linesOf({ entries: [due], isMore: true }).at(-1)).toContain("the first 1. To see more: --limit 500");
    expect(linesOf({ entries: [due] }).join("\n")).not.toContain("--limit");
    expect(linesOf({}).join(" ")).toContain("Nothing is due within that time.");
  });

  test("keeps what another team shares to its name and time", () => {
    const lines = linesOf({ entries: [{ ...upcoming, criticality: null, because: "" }] });
    expect(lines.at(-1)).toBe("  2027-01-07 08:00  shop/pay  production");
  });

  test("lets nobody's text move the terminal", () => {
    const entries = [{ ...due, why: ["a freeze: \u001b[2J"] }];
    expect(linesOf({ entries, freezes: [{ ...freeze, reason: "a\u001b[2Jb" }] }).join("\n")).not.toContain("\u001b");
  });
});

test("a freeze is told with whom it is of, its end, the name to end it by, and its reason", () => {
  expect(freezeLines(freeze)).toEqual(["  team shop  until 2027-01-09 07:00  frz_1", "      The week of the big sale"]);
  const [all] = freezeLines({ ...freeze, team: null, isActive: false });
  expect(all).toBe("  everything  from 2027-01-01 00:00 until 2027-01-09 07:00  frz_1");
  const [ended] = freezeLines({ ...freeze, team: null, environment: "production", endedAt: "2027-01-02T00:00:00Z" });
  expect(ended).toContain("environment production  ended, was until");
});
