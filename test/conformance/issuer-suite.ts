import { describe, expect, test } from "vitest";
import { endClauses } from "./issuer-clauses/end.ts";
import { issueClauses } from "./issuer-clauses/issue.ts";
import { lookClauses } from "./issuer-clauses/look.ts";
import { probeClauses } from "./issuer-clauses/probe.ts";
import { NotApplicable, type IssuerWorld } from "./issuer-world.ts";

/**
 * The contract of DESIGN.md section 7 (and of sections 3 to 5 and the invariants, where they bind an issuer), a clause
 * each. The number says where the clause is from: 7.x of the contract, 2 to 5 of the design, 6 and up of INVARIANTS.md.
 */
const all = { ...issueClauses, ...endClauses, ...probeClauses, ...lookClauses };

export type IssuerClauseName = keyof typeof all;

export const issuerClauses: Readonly<Record<IssuerClauseName, (world: IssuerWorld) => Promise<void>>> = all;

export const issuerClauseNames = Object.keys(all) as readonly IssuerClauseName[];

export interface IssuerSubject {
  readonly name: string;
  /** A fresh credential on an issuer, for one clause. */
  makeWorld(): Promise<IssuerWorld>;
  /** How many clauses do not apply to it: one more that is silently left out fails. */
  readonly leavesOut: number;
}

export type Verdict =
  | { readonly verdict: "kept" }
  | { readonly verdict: "broken"; readonly error: unknown }
  | { readonly verdict: "not applicable"; readonly reason: string };

/** Judges by one clause, in a world of its own. */
export async function judgeIssuer(
  subject: Pick<IssuerSubject, "makeWorld">,
  clause: IssuerClauseName,
): Promise<Verdict> {
  const world = await subject.makeWorld();
  try {
    await issuerClauses[clause](world);
    return { verdict: "kept" };
  } catch (error) {
    if (error instanceof NotApplicable) return { verdict: "not applicable", reason: error.message };
    return { verdict: "broken", error };
  } finally {
    await world.close();
  }
}

/** Registers a test for each clause. A clause that does not apply is skipped by its name, with the reason. */
export function describeIssuer(subject: IssuerSubject): void {
  describe(`the issuer ${subject.name} keeps the contract`, () => {
    const leftOut: string[] = [];
    for (const clause of issuerClauseNames)
      test(clause, async (context) => {
        const judged = await judgeIssuer(subject, clause);
        if (judged.verdict === "broken") throw judged.error;
        if (judged.verdict === "kept") return;
        leftOut.push(`${clause} (${judged.reason})`);
        context.skip(judged.reason);
      });
    test(`${subject.leavesOut} clauses do not apply`, () => {
      expect(leftOut.length, leftOut.join("\n")).toBe(subject.leavesOut);
    });
  });
}
