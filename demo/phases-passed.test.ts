import { expect, test } from "vitest";
import { newPhases } from "./phases-passed.ts";

const phases = ["reserved", "issued", "delivered", "adopted", "closed"].map((phase) => ({ phase }));
const at = (phase: string, direction = "forward", outcome?: string) => ({ phase, direction, phases, outcome });

test("phases too short to be seen are told all the same, each once", () => {
  expect(newPhases(undefined, at("issued"))).toEqual(["reserved", "issued"]);
  expect(newPhases(at("issued"), at("issued"))).toEqual([]);
  expect(newPhases(at("issued"), at("closed", "forward", "proven"))).toEqual(["delivered", "adopted", "closed"]);
});

test("an undo begins where it turns, goes down, and closes after the first phase", () => {
  expect(newPhases(at("delivered"), at("delivered", "undo"))).toEqual(["delivered"]);
  expect(newPhases(at("delivered", "undo"), at("issued", "undo"))).toEqual(["issued"]);
  expect(newPhases(at("delivered"), at("issued", "undo"))).toEqual(["delivered", "issued"]);
  expect(newPhases(at("issued", "undo"), at("closed", "undo", "undone"))).toEqual(["reserved", "closed"]);
  expect(newPhases(at("reserved", "undo"), at("closed", "undo", "undone"))).toEqual(["closed"]);
});
