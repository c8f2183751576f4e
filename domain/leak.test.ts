import { describe, expect, it } from "vitest";
import { lifeOf, tieTo } from "./leak.ts";

describe("a version is", () => {
  it.each([
    ["intended", "alive"],
    ["live", "alive"],
    ["disabled", "alive"],
    ["ended", "unproven"],
    ["accepted-unproven", "unproven"],
    ["proven-dead", "dead"],
  ])("in the state %s: %s", (state, life) => expect(lifeOf(state, false)).toBe(life));

  it("dead in no state that this release does not know", () => {
    expect(lifeOf("proven", false)).toBe("alive");
    expect(lifeOf("", false)).toBe("alive");
  });

  it("alive again once it was seen to log in after its death", () => {
    expect(lifeOf("proven-dead", true)).toBe("alive");
    expect(lifeOf("ended", true)).toBe("unproven");
  });
});

describe("the end of version 2 may break a consumer", () => {
  it("that holds it, whatever it was seen on", () => {
    expect(tieTo(2, { heldVersion: 2, seenVersion: 1 })).toBe("holds");
    expect(tieTo(2, { heldVersion: 2, seenVersion: null })).toBe("holds");
  });

  it("to which nothing was ever delivered", () =>
    expect(tieTo(2, { heldVersion: null, seenVersion: 3 })).toBe("undelivered"));

  it("that was given another version and was last seen on this one, or never on any", () => {
    expect(tieTo(2, { heldVersion: 3, seenVersion: 2 })).toBe("unseen");
    expect(tieTo(2, { heldVersion: 3, seenVersion: null })).toBe("unseen");
    expect(tieTo(2, { heldVersion: 1, seenVersion: 2 })).toBe("unseen");
  });

  it("and none that holds and was seen on another version", () => {
    expect(tieTo(2, { heldVersion: 3, seenVersion: 3 })).toBeUndefined();
    expect(tieTo(2, { heldVersion: 1, seenVersion: 1 })).toBeUndefined();
  });
});
