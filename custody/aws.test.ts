import { describe, expect, it } from "vitest";
import { fakePlace, freshRef, patient } from "../test/custody/aws-place.ts";
import { AwsFault } from "../test/harness/aws/fault.ts";
import type { Interference } from "../test/harness/aws/interference.ts";
import { clausesWithout, custodyClauses, type CustodyAbility } from "./suite.ts";
import { passwordOf, value } from "./suite/world.ts";

describe("custody in a strict stand-in for AWS", () => {
  for (const clause of custodyClauses)
    it(clause.name, async () => {
      const { aws, custody, other } = await fakePlace();
      const meetCreate = (interference: Interference) => {
        aws.interfere = ({ action }) => {
          if (action !== "CreateSecret") return undefined;
          aws.interfere = () => undefined;
          return interference;
        };
      };
      await clause.check({
        custody,
        other,
        freshRef,
        losesNextAnswer: () => meetCreate({ loseAnswer: true }),
        losesNextWrite: () => meetCreate({ answer: new AwsFault("InternalServiceError", 500, "made by the test") }),
      });
    });

  it("has a name that AWS takes for every ref, and no two share one", async () => {
    const { custody } = await fakePlace();
    const strange = ["a/b", "a", "ä+@=1", "ä+@", "%2F =2F", "../..", "(a)*~'!"];
    const refs = strange.flatMap((text) => [
      { ...freshRef(), instance: text, credential: "b/a" },
      { ...freshRef(), instance: "b/a", credential: text },
    ]);
    for (const [n, ref] of refs.entries()) await custody.putIfAbsent(ref, value(`password-${n}`));
    for (const [n, ref] of refs.entries()) expect(passwordOf(await custody.get(ref))).toBe(`password-${n}`);
  });
});

const lacks: Partial<Record<CustodyAbility, string>> = {
  losesNextAnswer: "any answer may be lost here",
  losesNextWrite: "any call may fail here",
};

describe("custody in an AWS that throttles, fails and loses answers", () => {
  for (const clause of clausesWithout(lacks))
    it(clause.name, async () => {
      const { custody, other } = await fakePlace({ throttling: 0.05, lostAnswers: 0.05, failures: 0.05 });
      await clause.check({ custody: patient(custody), other: patient(other), freshRef });
    });
});
