import { expect, test } from "vitest";
import { paste } from "./pasted.ts";

const page = "# A\n\n<!-- one -->\n\nold\n\n<!-- end of one -->\n\nbetween\n\n<!-- two -->\n<!-- end of two -->\n";

test("what stands between markers is put in their place, and nothing else is touched", () => {
  const pasted = paste(page, { one: "a $& b\n", two: "c" });
  expect(pasted).toBe(
    "# A\n\n<!-- one -->\n\n```\na $& b\n```\n\n<!-- end of one -->\n\nbetween\n\n<!-- two -->\n\n```\nc\n```\n\n<!-- end of two -->\n",
  );
  expect(paste(pasted, { one: "a $& b\n", two: "c" })).toBe(pasted);
});

test("a block without a place is refused", () => {
  expect(() => paste(page, { three: "x" })).toThrow("<!-- three -->");
});
