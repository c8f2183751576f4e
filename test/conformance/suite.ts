import { describe, expect, test } from "vitest";
import { judge, type Verdict } from "./applicability.ts";

type Rule<World> = (world: World) => Promise<void>;

/** Names of clauses and of checks of the world, by the one reason for which they do not apply. */
export type LeftOut<Name extends string = string> = Readonly<Record<string, readonly Name[]>>;

export interface Subject<World, Name extends string = string> {
  readonly name: string;
  /** Something fresh, for one clause. */
  makeWorld(): Promise<World>;
  /** What does not apply to it, and why. Nothing else may turn out not to apply, and all of this must. */
  readonly leavesOut: LeftOut<Name>;
}

/**
 * Registers a test for each check of the world and for each clause that applies. One test more asks those that are
 * declared not to: a clause that begins to apply, or stops for another reason, fails there.
 */
export function describeClauses<World extends { close(): Promise<void> }, Name extends string>(
  title: string,
  subject: Subject<World, Name>,
  clauses: Readonly<Record<string, Rule<World>>>,
  checks: Readonly<Record<string, Rule<World>>>,
): void {
  const leftOut = reasonsOf(subject.leavesOut);
  const ask = (rule: Rule<World>) => judge(() => subject.makeWorld(), rule);

  describe(`the world of ${title} ${subject.name} does what it says`, () => {
    registerApplying(checks, leftOut, ask);
  });

  describe(`${title} ${subject.name} keeps the contract`, () => {
    registerApplying(clauses, leftOut, ask);
    const rules: Readonly<Record<string, Rule<World>>> = { ...checks, ...clauses };
    const all = Object.keys(clauses);
    const left = all.filter((name) => leftOut.has(name)).length;
    test(`${all.length - left} of ${all.length} clauses apply, and ${left} do not for the reasons declared`, async () => {
      expect(await reasonsFound(rules, leftOut, ask)).toEqual(leftOut);
    });
  });
}

/** Why each rule that is declared not to apply does not, as it says itself. */
export async function reasonsFound<World>(
  rules: Readonly<Record<string, Rule<World>>>,
  declared: ReadonlyMap<string, string>,
  ask: (rule: Rule<World>) => Promise<Verdict>,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const name of declared.keys()) {
    const rule = rules[name];
    found.set(name, rule === undefined ? "there is no such clause" : reasonIn(await ask(rule)));
  }
  return found;
}

function registerApplying<World>(
  rules: Readonly<Record<string, Rule<World>>>,
  leftOut: ReadonlyMap<string, string>,
  ask: (rule: Rule<World>) => Promise<Verdict>,
): void {
  for (const [name, rule] of Object.entries(rules))
    if (!leftOut.has(name)) test(name, async () => obey(await ask(rule)));
}

/** What is registered must be kept: one that finds itself not to apply has stopped quietly. */
export function obey(judged: Verdict): void {
  if (judged.verdict === "broken") throw judged.error;
  if (judged.verdict === "not applicable") throw new Error(`not declared as not applicable: ${judged.reason}`);
}

function reasonsOf(leavesOut: LeftOut): ReadonlyMap<string, string> {
  const pairs = Object.entries(leavesOut).flatMap(([reason, names]) => names.map((name) => [name, reason] as const));
  const reasons = new Map(pairs);
  if (reasons.size !== pairs.length) throw new Error("a clause is left out twice");
  return reasons;
}

const reasonIn = (judged: Verdict): string =>
  judged.verdict === "not applicable" ? judged.reason : `it applies, and is ${judged.verdict}`;
