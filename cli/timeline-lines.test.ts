import { expect, it } from "vitest";
import { cut, summarize } from "./timeline-lines.ts";

it("details of a row are words, with names where ids have one", () => {
  const details = {
    consumer: "con_1",
    version: 2,
    gone: null,
    codes: ["a", "con_1"],
    changes: [{ field: "x" }],
    claim: 7,
  };
  expect(summarize(details, { con_1: "shop/web" })).toBe("consumer shop/web, version 2, codes a shop/web, 1 change");
  expect(summarize(details, {}, () => true)).toBe("consumer con_1, version 2, codes a con_1, 1 change, claim 7");
});

it("the reason of a failure stands last, on one line", () => {
  expect(summarize({ why: "one.\ntwo", step: "issue" }, {}, () => true)).toBe("step issue, why one. two");
});

it("a text that is cut is marked so", () => {
  expect([cut("whole", 5), cut("too long", 5)]).toEqual(["whole", "too …"]);
});
