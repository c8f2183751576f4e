import { expect, test } from "vitest";
import { statusLines } from "./status-lines.ts";

const counts = { credentials: 40, scheduled: 38, waiting: 0, open: 2, proven: 5, workers: 1 };
const well = { now: "2027-01-06T08:30:00.000Z", counts, nextAt: "2027-01-06T09:00:00.000Z", freezes: [], looks: [] };
const freeze = {
  ...{ id: "frz_1", team: null, environment: "production", reason: "the quarter ends", declaredBy: "tok_1" },
  ...{ from: "2027-01-01T00:00:00Z", until: "2027-01-09T07:00:00Z", endedAt: null, isActive: true },
};

test("what is well says so, after how it stands and when it goes on", () => {
  expect(statusLines(well)).toEqual([
    "It is 2027-01-06 08:30 UTC.",
    "40 credentials, 38 with a schedule; 2 rotations open, 5 proven in the last seven days; 1 worker.",
    "The next one begins 09:00:00.",
    "",
    "All is well.",
  ]);
  expect(statusLines({ ...well, nextAt: null })).toContain("Nothing is scheduled to begin.");
});

test("what keeps due rotations from beginning is told although nothing is wrong", () => {
  const lines = statusLines({ ...well, counts: { ...counts, waiting: 3 }, freezes: [freeze] });
  expect(lines).toContain("3 are due and wait for a window, a freeze, a pause: rekey calendar");
  expect(lines).toContain("Frozen: environment production, until 2027-01-09 07:00: the quarter ends");
  expect(lines.at(-1)).toBe("All is well.");
  expect(statusLines({ ...well, counts: { ...counts, waiting: 1 } })[3]).toContain("1 is due and waits");
});

test("each trouble has its state, what it is, and the command that mends it", () => {
  const looks = [
    { state: "bad", about: "Workers", text: "No worker runs.", mend: "rekey worker" },
    { state: "warn", about: "Not adopted", text: "a\u001b[2J" },
  ] as const;
  expect(statusLines({ ...well, looks: [...looks] }).slice(4)).toEqual([
    "bad   Workers",
    "      No worker runs.",
    "        rekey worker",
    "warn  Not adopted",
    "      a?[2J",
  ]);
});
