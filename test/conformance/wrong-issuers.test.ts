import { expect, test } from "vitest";
import { issuerClauseNames, judgeIssuer, type IssuerClauseName } from "./issuer-suite.ts";
import { makeReferenceWorld } from "./reference/issuer-world.ts";
import { wrongIssuers } from "./wrong-issuers.ts";
import type { WrongIssuer } from "./wrong-issuers/wrong-issuer.ts";

const seed = 7;

async function clausesThatCatch({ shape, twist }: WrongIssuer): Promise<readonly IssuerClauseName[]> {
  const subject = { makeWorld: () => makeReferenceWorld(shape, seed, twist) };
  const broken: IssuerClauseName[] = [];
  for (const clause of issuerClauseNames)
    if ((await judgeIssuer(subject, clause)).verdict === "broken") broken.push(clause);
  return broken;
}

const catching = new Set<IssuerClauseName>();

for (const wrong of wrongIssuers)
  test(`the issuer that is wrong by "${wrong.name}" is caught by "${wrong.caughtBy}"`, async () => {
    const broken = await clausesThatCatch(wrong);
    for (const clause of broken) catching.add(clause);
    expect(broken).toContain(wrong.caughtBy);
  });

test("every clause catches a wrong issuer, so none is there for nothing", () => {
  expect(issuerClauseNames.filter((clause) => !catching.has(clause))).toEqual([]);
});
