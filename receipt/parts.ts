import { hash } from "node:crypto";
import canonicalize from "canonicalize";

/** RFC 8785, so that anyone can compute the same bytes with another program. */
export function canonicalText(value: unknown): string {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("the value has no canonical form");
  return text;
}

export function digestOf(value: unknown): string {
  // Of a text alone, JSON is the canonical form already.
  return hash("sha256", typeof value === "string" ? JSON.stringify(value) : canonicalText(value), "base64url");
}

/** RFC 6901. */
export const pointerTo = (parent: string, key: string | number): string =>
  `${parent}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`;

/** What has nothing in it to go into: text, numbers, truth, nothing, and empty lists and objects. Keyed by JSON pointer. */
export function leavesOf(value: unknown, at = ""): Map<string, unknown> {
  const inner = typeof value === "object" && value !== null ? Object.entries(value) : [];
  if (inner.length === 0) return new Map([[at, value]]);
  return new Map(inner.flatMap(([key, each]) => [...leavesOf(each, pointerTo(at, key))]));
}

/** The digest of each leaf by its pointer, and under "" that of the whole: leaves alone do not say what holds them. */
export function digestsOf(value: unknown): Record<string, string> {
  const leaves = [...leavesOf(value)].map(([at, leaf]): [string, string] => [at, digestOf(leaf)]);
  return Object.fromEntries([["", digestOf(value)], ...leaves]);
}
