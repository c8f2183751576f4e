import { afterAll, describe, expect, test } from "vitest";
import { isVerdict } from "./failing.ts";
import { judge } from "./applicability.ts";
import { consumerClauses, type ConsumerClauseName } from "./consumer-suite.ts";
import { issuerClauses, type IssuerClauseName } from "./issuer-suite.ts";
import { makeStoreWorld } from "./reference/consumer-world.ts";
import { makeReferenceWorld } from "./reference/issuer-world.ts";
import { wrongConsumers } from "./wrong-consumers.ts";
import { wrongIssuers } from "./wrong-issuers.ts";

const seed = 7;

interface Wrong<Name extends string, World> {
  readonly name: string;
  readonly caughtBy: Name;
  makeWorld(): Promise<World>;
}

/** Runs every clause over every wrong provider, and in the end every clause must have earned its place. */
function describeWrong<Name extends string, World extends { close(): Promise<void> }>(
  what: string,
  clauses: Readonly<Record<Name, (world: World) => Promise<void>>>,
  wrongs: readonly Wrong<Name, World>[],
): void {
  const names = Object.keys(clauses) as Name[];
  const catching = new Set<Name>();
  let caught = 0;
  describe(`a wrong ${what}`, () => {
    for (const wrong of wrongs)
      test(`"${wrong.name}" is caught by "${wrong.caughtBy}"`, async () => {
        const broken: Name[] = [];
        for (const name of names) {
          const judged = await judge(() => wrong.makeWorld(), clauses[name]);
          if (judged.verdict === "broken" && isVerdict(judged.error)) broken.push(name);
        }
        for (const name of broken) catching.add(name);
        expect(broken).toContain(wrong.caughtBy);
        caught += 1;
      });

    test("has a name of its own", () => {
      expect(new Set(wrongs.map(({ name }) => name)).size).toBe(wrongs.length);
    });

    test(`each of the ${names.length} clauses catches one of the ${wrongs.length}, so that none is there for nothing`, () => {
      expect(names.filter((name) => !catching.has(name))).toEqual([]);
    });

    afterAll(() => {
      process.stdout.write(`${what}: ${names.length} clauses, ${caught} of ${wrongs.length} wrong ones caught\n`);
    });
  });
}

describeWrong<IssuerClauseName, Awaited<ReturnType<typeof makeReferenceWorld>>>(
  "issuer",
  issuerClauses,
  wrongIssuers.map(({ name, caughtBy, shape, twist }) => ({
    name,
    caughtBy,
    makeWorld: () => makeReferenceWorld(shape, seed, twist),
  })),
);

describeWrong<ConsumerClauseName, Awaited<ReturnType<typeof makeStoreWorld>>>(
  "consumer",
  consumerClauses,
  wrongConsumers.map(({ name, caughtBy, twist }) => ({ name, caughtBy, makeWorld: () => makeStoreWorld(twist) })),
);
