import { codes } from "../domain/errors.ts";
import { readCheck, type CheckFinding } from "../ledger/checks.ts";
import { asJson, type Handlers } from "./deps.ts";
import { ProblemError } from "./problem.ts";

export const checkHandlers: Handlers<"showCheck"> = {
  async showCheck({ params }, { ledger }) {
    const found = await readCheck(ledger.db, params.check);
    if (found === undefined) throw new ProblemError("not_found", "There is no such check.");
    const { checkId: id, subjectId: credentialId, findings, ...rest } = found;
    return asJson({ ...rest, id, credentialId, findings: titled(findings) });
  },
};

export const titled = (findings: readonly CheckFinding[]) =>
  findings.map((finding) => ({ ...finding, title: codes[finding.code] }));
