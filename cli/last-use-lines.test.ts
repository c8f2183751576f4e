import { expect, it } from "vitest";
import { lastUseLines } from "./last-use-lines.ts";

const now = "2026-01-02T12:00:00.000Z";
const exactness = { grainMs: 900_000, lateByMs: 14_400_000 };

it("a version's last use is a row with its time and place; one that was never used says so", () => {
  const told = [
    { version: 1, toldAt: "2026-01-02T11:00:00Z", at: "2026-01-01T10:00:00Z", by: "service s3\u001B", ...exactness },
    { version: 2, toldAt: "2026-01-02T11:00:00Z", at: null, by: null, ...exactness },
  ];
  expect(lastUseLines(told, now)).toEqual([
    "Last used, as the issuer tells it: to 15 min, up to 240 min late",
    "  version 1  2026-01-01 10:00:00  by service s3?  told at 11:00:00",
    "  version 2  never                                told at 11:00:00",
  ]);
});

it("an issuer that tells nothing of the kind leaves no line", () => {
  expect(lastUseLines([], now)).toEqual([]);
});
