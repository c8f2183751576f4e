import fc from "fast-check";
import { expect, test } from "vitest";
import { PermanentError } from "../../../domain/errors.ts";
import { handleFor, placeOf } from "./handle.ts";

test("a handle reads as its role and version", () => {
  expect(handleFor({ role: "orders_a", version: 2 })).toBe("orders_a/2");
  expect(placeOf("orders_a/2")).toEqual({ role: "orders_a", version: 2 });
});

test("whatever the role is called, its handle leads back to it and to nothing else", () => {
  const place = fc.record({
    role: fc.oneof(fc.constant('we"ird; drop'), fc.constant("a/1"), fc.string({ minLength: 1, unit: "grapheme" })),
    version: fc.integer({ min: 1, max: 1_000_000 }),
  });
  fc.assert(
    fc.property(place, (any) => {
      expect(placeOf(handleFor(any))).toEqual(any);
    }),
  );
  fc.assert(
    fc.property(place, place, (one, other) => {
      fc.pre(one.role !== other.role || one.version !== other.version);
      expect(handleFor(one)).not.toBe(handleFor(other));
    }),
  );
});

test("a text that no version gave is no handle", () => {
  for (const text of ["", "a", "/1", "a/0", "a/01", "a/-1", "a/1/2", "a b/1", "%zz/1", "%61/1", "a/1 "])
    expect(() => placeOf(text), text).toThrow(PermanentError);
});
