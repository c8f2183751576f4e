import { expect, test } from "vitest";
import { seeded } from "./random.ts";
import { nastyByDefault } from "./settings.ts";
import { Staleness } from "./staleness.ts";
import { Timeline } from "./timeline.ts";

test("endpoints learn of a change each in its time, so that one success does not prove the next", () => {
  const key = new Timeline("absent");
  key.record("Active", 100, [5, 20]);
  expect([key.seenBy(0, 104), key.seenBy(1, 104)]).toEqual(["absent", "absent"]);
  expect([key.seenBy(0, 105), key.seenBy(1, 105)]).toEqual(["Active", "absent"]);
  expect([key.seenBy(0, 120), key.seenBy(1, 120)]).toEqual(["Active", "Active"]);
  expect([key.truth(99), key.truth(100)]).toEqual(["absent", "Active"]);
});

test("an endpoint learns of changes in their order, however fast the later one travels", () => {
  const key = new Timeline("absent");
  key.record("Active", 100, [50]);
  key.record("Inactive", 110, [1]);
  expect([111, 149, 150].map((atMs) => key.seenBy(0, atMs))).toEqual(["absent", "absent", "Inactive"]);
  expect(key.truth()).toBe("Inactive");
});

test("the same seed is nasty in the same way, and lags stay within what is set", () => {
  const delays = (seed: number) => new Staleness(nastyByDefault, seeded(seed)).delaysMs("freshKeyLagMs");
  expect(delays(7)).toEqual(delays(7));
  expect(delays(7)).not.toEqual(delays(8));
  const many = Array.from({ length: 200 }, (_, seed) => delays(seed)).flat();
  expect(Math.max(...many)).toBeLessThanOrEqual(1500);
  expect(Math.max(...many)).toBeGreaterThan(1200);
});
