import { describe, it } from "vitest";
import { fakePlace, freshRef, patient } from "../test/custody/aws-place.ts";
import { AwsFault } from "../test/harness/aws/fault.ts";
import type { Interference } from "../test/harness/aws/interference.ts";
import { clausesWithout, custodyClauses, type CustodyAbility } from "./suite.ts";

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
