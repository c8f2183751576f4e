import { it } from "vitest";
import fc from "fast-check";
import { pathPart } from "./path-part.ts";

const marks = ["~", "="] as const;

it("no two texts share a part of a path", () => {
  for (const mark of marks) {
    const text = fc.stringMatching(/^[a=~%.!'()*/ -é]{1,6}$/);
    fc.assert(
      fc.property(text, text, (one, other) => (pathPart(one, mark) === pathPart(other, mark)) === (one === other)),
    );
  }
});

it("a part has no character that a path or a name cannot hold", () => {
  for (const mark of marks)
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: "grapheme" }), (text) =>
        new RegExp(`^[\\w.${mark}-]+$`).test(pathPart(text, mark)),
      ),
    );
});
