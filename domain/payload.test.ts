import fc from "fast-check";
import { expect, test } from "vitest";
import { isPayloadFit } from "./payload.ts";

const id = "rot_01h455vb4pex5vsknk084sn02q";

test("ids, numbers, booleans and our own words may travel, alone or in records and lists", () => {
  for (const fit of [
    id,
    0,
    12.5,
    true,
    null,
    undefined,
    "done",
    "revoking",
    "overlap",
    "issuer_unreachable",
    "preflight",
  ])
    expect(isPayloadFit(fit), String(fit)).toBe(true);
  expect(isPayloadFit({ now: "wait", waitMs: 250 })).toBe(true);
  expect(isPayloadFit([id, { now: "done" }])).toBe(true);
});

test("invariant 6: nothing that could hold a value travels", () => {
  for (const unfit of ["hunter2", "", "Done", `${id} `, Number.NaN, Number.POSITIVE_INFINITY, 1n, Symbol("a")])
    expect(isPayloadFit(unfit), String(unfit)).toBe(false);
  for (const unfit of [() => 1, new Date(0), new Map(), Buffer.from("a"), new Error("done"), Object.create(null)])
    expect(isPayloadFit(unfit)).toBe(false);
  expect(isPayloadFit({ now: "wait", password: "hunter2" })).toBe(false);
  expect(isPayloadFit({ hunter2: true })).toBe(false);
  expect(isPayloadFit({ [`a${"b".repeat(32)}`]: true })).toBe(false);
  expect(isPayloadFit([["hunter2"]])).toBe(false);
  expect(isPayloadFit([id, "hunter2"])).toBe(false);
});

test("invariant 6: no generated secret travels, however deep it lies", () => {
  const secret = fc.base64String({ minLength: 16 }).filter((text) => text.length > 0);
  const wrap = fc.letrec((tie) => ({
    node: fc.oneof({ maxDepth: 4 }, secret, fc.array(tie("node"), { minLength: 1 }), fc.record({ part: tie("node") })),
  }));
  fc.assert(fc.property(wrap.node, (value) => !isPayloadFit(value)));
});
