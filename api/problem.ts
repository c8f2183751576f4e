import type { z } from "zod";
import { advice } from "../domain/error-advice.ts";
import { codes, OperatorNeededError, RekeyError, type Code } from "../domain/errors.ts";
import { asUnreachable } from "../ledger/database.ts";
import type { ManifestIssue } from "../manifests/documents.ts";
import type { problem } from "./shapes.ts";

export type Problem = z.output<typeof problem>;

const statuses: Partial<Record<Code, number>> = {
  token_refused: 401,
  forbidden: 403,
  host_refused: 403,
  not_found: 404,
  request_invalid: 400,
  manifest_invalid: 422,
  value_unfit: 422,
  plan_changed: 409,
  command_refused: 409,
  delete_refused: 409,
  grant_refused: 409,
  move_refused: 409,
  already_adopted: 409,
  not_adopted: 409,
  check_pending: 409,
  principal_is_connection: 409,
  principal_claimed: 409,
  principal_busy: 409,
  too_many_requests: 429,
  internal: 500,
};

/** Codes that are not listed are about something outside that does not answer or refuses: nothing the caller wrote. */
function statusOf(code: Code): number {
  return statuses[code] ?? 503;
}

export function problemOf(code: Code, detail: string, issues?: readonly ManifestIssue[]): Problem {
  return {
    type: `urn:rekey:error:${code}`,
    title: codes[code],
    status: statusOf(code),
    code,
    detail,
    next: advice[code],
    ...(issues === undefined ? {} : { issues: [...issues] }),
  };
}

/** A problem of the request itself, which no step and no worker ever meets. */
export class ProblemError extends OperatorNeededError {
  readonly issues: readonly ManifestIssue[] | undefined;
  constructor(code: Code, detail: string, issues?: readonly ManifestIssue[]) {
    super(code, detail);
    this.issues = issues;
  }
}

/** The problem to answer with. What is none of ours is reported as that, without a word of its message. */
export function asProblem(error: unknown): Problem {
  if (error instanceof ProblemError) return problemOf(error.code, error.detail, error.issues);
  if (error instanceof RekeyError) return problemOf(error.code, error.detail);
  const unreachable = asUnreachable(error);
  if (unreachable !== undefined) return problemOf(unreachable.code, unreachable.detail);
  return problemOf("internal", "The API's log has the place. Nothing of this request was stored.");
}
