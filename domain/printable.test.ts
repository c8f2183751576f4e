import { expect, test } from "vitest";
import { printable } from "./printable.ts";

test("foreign text loses what could forge a line or a colour", () => {
  expect(printable("a\nb\u001b[31mc\u202ed\u00e9")).toBe("a?b?[31mc?d?");
});

test("long text is cut and says so", () => {
  expect(printable("x".repeat(63))).toBe("x".repeat(63));
  expect(printable("x".repeat(64))).toBe(`${"x".repeat(60)}...`);
});
