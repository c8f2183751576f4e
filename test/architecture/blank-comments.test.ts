import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blankComments } from "./blank-comments.ts";

describe("blanking comments", () => {
  it.each([
    ["a // b\nc", "a     \nc"],
    ["a /* b\nc */ d", "a     \n     d"],
    ['"// no" // yes', '"// no"       '],
    ["'/* no */' /* yes */", "'/* no */'          "],
    ["`// ${a /* yes */ + `// ${b}`} // no`", "`// ${a           + `// ${b}`} // no`"],
    ["`${{ a: `}` }} // no` // yes", "`${{ a: `}` }} // no`       "],
    ["a.replace(/[/*]\\//g, b) // yes", "a.replace(/[/*]\\//g, b)       "],
    ["return /\\/\\/ no/.test(a)", "return /\\/\\/ no/.test(a)"],
    ["a / b // yes", "a / b       "],
    ['"\\"// no"', '"\\"// no"'],
    ["#!/usr/bin/env node\na", "                   \na"],
  ])("turns %j into %j", (code, expected) => {
    expect(blankComments(code)).toBe(expected);
  });

  it("never moves a character or a line, whatever it is given", () => {
    const piece = fc.constantFrom("a", "/", "*", '"', "'", "`", "${", "}", "\\", "\n", " ", "//", "/*", "*/", "[", "]");
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const code = pieces.join("");
        const blanked = blankComments(code);
        expect(blanked).toHaveLength(code.length);
        blanked.split("").forEach((one, at) => expect([" ", code[at]]).toContain(one));
        expect(blanked.split("\n")).toHaveLength(code.split("\n").length);
      }),
    );
  });
});
