import { describe, expect, it } from "vitest";
import { clock, since, span } from "./show-time.ts";
import { printable, table } from "./table.ts";
import { wrap } from "./wrap.ts";

const now = "2026-03-04T12:00:00.000Z";

describe("times", () => {
  it("show the day only when it is another one", () => {
    expect(clock("2026-03-04T08:44:10.123Z", now)).toBe("08:44:10");
    expect(clock("2026-03-03T23:59:59Z", now)).toBe("2026-03-03 23:59:59");
  });

  it("are spans in the two largest units", () => {
    expect([0, 59_999, 61_000, 3_660_000, 90_000_000].map(span)).toEqual(["0s", "59s", "1m 1s", "1h 1m", "1d 1h"]);
    expect(since("2026-03-04T11:58:00Z", now)).toBe("2m 0s");
    expect(span(-5)).toBe("0s");
  });
});

describe("lines", () => {
  it("stand in columns, without what could move a terminal's cursor", () => {
    expect(
      table([
        ["a", "bb"],
        ["ccc", "\u001b[31md"],
      ]),
    ).toEqual(["a    bb", "ccc  ?[31md"]);
    expect(printable("a\nb\u202e")).toBe("a?b?");
  });

  it("break between words", () => {
    expect(wrap("one two three", "  ", 10)).toEqual(["  one two", "  three"]);
    expect(wrap("a-word-that-is-longer", " ", 5)).toEqual([" a-word-that-is-longer"]);
  });
});
