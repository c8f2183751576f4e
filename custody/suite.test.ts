import { describe, expect, it } from "vitest";
import { clausesWithout, custodyClauses } from "./suite.ts";
import { right, worldOf, wrongCustodies } from "../test/custody/wrong-custodies.ts";

describe("the suite of custodies", () => {
  for (const clause of custodyClauses)
    it(`lets a right one pass: ${clause.name}`, async () => {
      await clause.check(worldOf(right));
    });

  for (const { name, wrong, caughtBy } of wrongCustodies)
    it(`catches one that ${name}`, async () => {
      const clause = custodyClauses.find((each) => each.name === caughtBy);
      if (clause === undefined) throw new Error(`There is no clause "${caughtBy}".`);
      await expect(clause.check(worldOf({ ...right, ...wrong }))).rejects.toThrow();
    });

  it("has no clause that catches nothing", () => {
    const useful = new Set(wrongCustodies.map(({ caughtBy }) => caughtBy));
    expect(custodyClauses.map(({ name }) => name).filter((name) => !useful.has(name))).toEqual([]);
  });

  it("believes no world that says nothing of what it cannot do", async () => {
    const { losesNextAnswer: _, ...lacking } = worldOf(right);
    const needy = custodyClauses.filter(({ needs }) => needs === "losesNextAnswer");
    expect(needy).toHaveLength(1);
    for (const clause of needy) await expect(clause.check(lacking)).rejects.toThrow("declare that as lacking");
    const left = clausesWithout({ losesNextAnswer: "its store answers always" });
    expect(left).toHaveLength(custodyClauses.length - 1);
  });
});
