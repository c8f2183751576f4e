import { expect, test } from "vitest";
import { literal } from "./quoting.ts";

test("a text stands in a statement as it is, its quotes doubled", () => {
  expect(literal("it's")).toBe("'it''s'");
});

test("what could move a terminal's cursor is written out, so that what is shown is what is pasted", () => {
  const text = literal("a'\u001b[2K\\\r");
  expect(text).toBe(String.raw`E'a\'\u001b[2K\\\u000d'`);
});
