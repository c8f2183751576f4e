import { describe, expect, it } from "vitest";
import { findUnstorable } from "./unstorable-text.ts";

describe("a text that cannot be stored", () => {
  it.each(["\u0000", "a\u0000b", "\ud800", "a\udc00b", "\udc00\ud800"])("is %j", (text) => {
    expect(findUnstorable(text)).toHaveLength(1);
  });

  it.each(["", "a", "\u0001\n\t", "\ufffd", "\u{1f511}", "\ud83d\udd11", 0, null, undefined, true])(
    "is not %j",
    (content) => {
      expect(findUnstorable({ content })).toEqual([]);
    },
  );

  it("is found wherever it stands; one that is a field's name is not shown", () => {
    const content = { a: ["x", { b: "\u0000" }], c: "fine", d: { "\ud800": "\u0000" } };
    expect(findUnstorable(content)).toEqual([
      { path: ["a", 1, "b"], shown: ["a", 1, "b"] },
      { path: ["d", "\ud800"], shown: ["d"] },
    ]);
  });
});
