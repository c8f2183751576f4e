import { describe, expect, test } from "vitest";
import { notApplicable, judge } from "./applicability.ts";
import { obey, reasonsFound } from "./suite.ts";

const world = { close: () => Promise.resolve() };
const makeWorld = () => Promise.resolve(world);
const lacking = async () => notApplicable("it has no lock");
const kept = async () => undefined;
const broken = async () => {
  throw new Error("it fell over");
};

describe("a clause cannot quietly stop to apply", () => {
  const ask = (clause: (shaken: typeof world) => Promise<void>) => judge(makeWorld, clause);

  test("one that is registered and finds itself not to apply fails, with its reason", async () => {
    const judged = await ask(lacking);
    expect(() => obey(judged)).toThrow("not declared as not applicable: it has no lock");
  });

  test("one that is registered and broken fails with its own error", async () => {
    const judged = await ask(broken);
    expect(() => obey(judged)).toThrow("it fell over");
  });

  test("one that is declared not to apply is found so for its own reason, and otherwise as what it is", async () => {
    const declared = new Map(["locks", "opens", "falls", "gone"].map((name) => [name, "it has no lock"]));
    const found = await reasonsFound({ locks: lacking, opens: kept, falls: broken }, declared, ask);
    expect([...found.values()]).toEqual([
      "it has no lock",
      "it applies, and is kept",
      "it applies, and is broken",
      "there is no such clause",
    ]);
  });
});
