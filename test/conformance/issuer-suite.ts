import { endClauses } from "./issuer-clauses/end.ts";
import { issueClauses } from "./issuer-clauses/issue.ts";
import { lookClauses } from "./issuer-clauses/look.ts";
import { probeClauses } from "./issuer-clauses/probe.ts";
import { issuerWorldChecks } from "./issuer-world-checks.ts";
import type { IssuerWorld } from "./issuer-world.ts";
import { describeClauses, type Subject } from "./suite.ts";

/**
 * The contract of DESIGN.md section 7 (and of sections 3 to 5 and the invariants, where they bind an issuer), a clause
 * each. The number says where the clause is from: 7.x of the contract, 2 to 5 of the design, 6 and up of INVARIANTS.md.
 */
const all = { ...issueClauses, ...endClauses, ...probeClauses, ...lookClauses };

export type IssuerClauseName = keyof typeof all;

/** A clause, or a check of the world that judges by it. */
export type IssuerRuleName = IssuerClauseName | keyof typeof issuerWorldChecks;

export const issuerClauses: Readonly<Record<IssuerClauseName, (world: IssuerWorld) => Promise<void>>> = all;

export function describeIssuer(subject: Subject<IssuerWorld, IssuerRuleName>): void {
  describeClauses("the issuer", subject, issuerClauses, issuerWorldChecks);
}
