import { describe, expect, test } from "vitest";
import { judge } from "./applicability.ts";

export interface Subject<World> {
  readonly name: string;
  /** Something fresh, for one clause. */
  makeWorld(): Promise<World>;
  /** How many clauses do not apply to it: one more that is silently left out fails. */
  readonly leavesOut: number;
}

/**
 * Registers a test for each check of the world and for each clause. One that does not apply is skipped by its name, with
 * the reason.
 */
export function describeClauses<World extends { close(): Promise<void> }>(
  title: string,
  subject: Subject<World>,
  clauses: Readonly<Record<string, (world: World) => Promise<void>>>,
  checks: Readonly<Record<string, (world: World) => Promise<void>>>,
): void {
  describe(`the world of ${title} ${subject.name} does what it says`, () => {
    for (const [name, check] of Object.entries(checks))
      test(name, async (context) => {
        const judged = await judge(() => subject.makeWorld(), check);
        if (judged.verdict === "broken") throw judged.error;
        if (judged.verdict === "not applicable") context.skip(judged.reason);
      });
  });

  describe(`${title} ${subject.name} keeps the contract`, () => {
    const leftOut: string[] = [];
    for (const [name, clause] of Object.entries(clauses))
      test(name, async (context) => {
        const judged = await judge(() => subject.makeWorld(), clause);
        if (judged.verdict === "broken") throw judged.error;
        if (judged.verdict === "kept") return;
        leftOut.push(`${name} (${judged.reason})`);
        context.skip(judged.reason);
      });
    test(`${subject.leavesOut} clauses do not apply`, () => {
      expect(leftOut.length, leftOut.join("\n")).toBe(subject.leavesOut);
    });
  });
}
