import { describe, expect, it } from "vitest";
import { isLabelKey, isLabelValue, parseSelector } from "./labels.ts";

describe("a label", () => {
  it.each(["tier", "a", "app.kubernetes.io/name", "x_1.y-2", "A".repeat(63), `${"a".repeat(60)}.b/${"c".repeat(63)}`])(
    "may have the key %s",
    (key) => expect(isLabelKey(key)).toBe(true),
  );

  it.each(["", "-a", "a-", "a b", "A".repeat(64), "/a", "a/", "a/b/c", "Upper.com/a", "a..b/c", `${"a".repeat(64)}/b`])(
    "may not have the key '%s'",
    (key) => expect(isLabelKey(key)).toBe(false),
  );

  it("may have an empty value, and none that is longer than 63 or has blanks", () => {
    expect(["", "gold", "1.2_3-x", "v".repeat(63)].map(isLabelValue)).toEqual([true, true, true, true]);
    expect(["a b", "-", "v".repeat(64), "ä"].map(isLabelValue)).toEqual([false, false, false, false]);
  });
});

describe("a selector", () => {
  it("has conditions as kubectl has them", () => {
    expect(parseSelector("tier=gold, region != eu,a==b,audited,!old,empty=")).toEqual([
      { wants: "is", key: "tier", value: "gold" },
      { wants: "is-not", key: "region", value: "eu" },
      { wants: "is", key: "a", value: "b" },
      { wants: "has", key: "audited", value: "" },
      { wants: "has-not", key: "old", value: "" },
      { wants: "is", key: "empty", value: "" },
    ]);
  });

  it.each(["", ",", "a=b,", "a b=c", "a=b c", "=b", "a=b=c", "!", "tier in (gold)"])("is not '%s'", (text) => {
    expect(parseSelector(text)).toBeUndefined();
  });
});
