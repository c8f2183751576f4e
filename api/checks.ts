import { codes } from "../domain/errors.ts";
import { readCheck, type CheckFinding } from "../ledger/checks.ts";
import { checkResults } from "./check-results.ts";
import { asJson, type Handlers } from "./deps.ts";
import { ProblemError } from "./problem.ts";

export const checkHandlers: Handlers<"showCheck"> = {
  async showCheck({ params, scope }, { ledger }) {
    const found = await readCheck(ledger.db, scope, params.check);
    if (found === undefined) throw new ProblemError("not_found", "There is no such check.");
    const { checkId: id, findings, result, ...rest } = found;
    const shown = result === null ? null : checkResults[found.kind].parse(result);
    return asJson({ ...rest, id, findings: titled(findings), result: shown });
  },
};

export const titled = (findings: readonly CheckFinding[]) =>
  findings.map((finding) => ({ ...finding, title: codes[finding.code] }));
