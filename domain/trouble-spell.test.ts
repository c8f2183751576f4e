import { expect, it } from "vitest";
import { createTroubleSpell } from "./trouble-spell.ts";

it("a spell of trouble is told of at its first failure and at its end, with how many there were", () => {
  const told: string[] = [];
  const spell = createTroubleSpell({
    onTrouble: (error) => told.push(String(error)),
    onRecovered: (failures) => told.push(`over after ${failures}`),
  });
  spell.worked();
  for (const error of ["a", "b", "c"]) spell.failed(error);
  spell.worked();
  spell.worked();
  spell.failed("d");
  spell.worked();
  expect(told).toEqual(["a", "over after 3", "d", "over after 1"]);
});
