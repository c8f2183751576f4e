import { sql, type Kysely } from "kysely";
import type { Code } from "../domain/errors.ts";
import { recordEvent } from "./audit.ts";
import type { Ledger } from "./database.ts";
import { newId } from "./new-id.ts";
import type { Tables } from "./tables.ts";

/** One thing that a check found. `mend` is ready to paste at the issuer. */
export interface CheckFinding {
  readonly code: Code;
  readonly detail: string;
  readonly mend?: string;
}

export interface Check {
  readonly checkId: string;
  readonly kind: "adopt";
  /** The credential. */
  readonly subjectId: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly state: "pending" | "done" | "failed";
  readonly findings: readonly CheckFinding[];
  readonly requestedBy: string;
  readonly at: Date;
  readonly finishedAt: Date | null;
}

export interface CheckRequest {
  readonly kind: Check["kind"];
  readonly subjectId: string;
  /** Ids and numbers only; never anything of a value. */
  readonly arguments: Readonly<Record<string, string | number>>;
  readonly requestedBy: string;
}

/** Asks for a look outside, in the caller's transaction. A worker takes it up; whoever asked polls `readCheck`. */
export async function requestCheck(trx: Kysely<Tables>, request: CheckRequest): Promise<string> {
  const id = newId("check");
  await sql`
    INSERT INTO checks (id, kind, subject_id, arguments, requested_by)
    VALUES (${id}, ${request.kind}, ${request.subjectId}, ${JSON.stringify(request.arguments)}::jsonb,
      ${request.requestedBy})`.execute(trx);
  await recordEvent(trx, {
    credentialId: request.subjectId,
    actor: request.requestedBy,
    action: "check.requested",
    details: { check: id, kind: request.kind },
  });
  return id;
}

const columns = sql`id AS "checkId", kind, subject_id AS "subjectId", arguments, state, findings,
  requested_by AS "requestedBy", at, finished_at AS "finishedAt"`;

export async function readCheck(db: Kysely<Tables>, checkId: string): Promise<Check | undefined> {
  const { rows } = await sql<Check>`SELECT ${columns} FROM checks WHERE id = ${checkId}`.execute(db);
  return rows[0];
}

/** The newest check of a credential. */
export async function readLastCheck(db: Kysely<Tables>, subjectId: string): Promise<Check | undefined> {
  const { rows } = await sql<Check>`
    SELECT ${columns} FROM checks WHERE subject_id = ${subjectId} ORDER BY at DESC, id DESC LIMIT 1`.execute(db);
  return rows[0];
}

/** Checks that no worker has answered yet, oldest first. */
export async function readPendingChecks({ db }: Ledger, limit: number): Promise<readonly Check[]> {
  const { rows } = await sql<Check>`
    SELECT ${columns} FROM checks WHERE state = 'pending' ORDER BY at, id LIMIT ${limit}`.execute(db);
  return rows;
}

export interface CheckResult {
  readonly checkId: string;
  readonly ok: boolean;
  readonly findings: readonly CheckFinding[];
}

/** Records what was found, once: false when the check had its answer already. */
export async function finishCheck(trx: Kysely<Tables>, { checkId, ok, findings }: CheckResult): Promise<boolean> {
  const { rows } = await sql<{ subject_id: string; kind: string }>`
    UPDATE checks SET state = ${ok ? "done" : "failed"}, findings = ${JSON.stringify(findings)}::jsonb,
      finished_at = clock_timestamp()
    WHERE id = ${checkId} AND state = 'pending' RETURNING subject_id, kind`.execute(trx);
  const [row] = rows;
  if (row === undefined) return false;
  await recordEvent(trx, {
    credentialId: row.subject_id,
    actor: "system:worker",
    action: ok ? "check.done" : "check.failed",
    details: { check: checkId, kind: row.kind, codes: findings.map(({ code }) => code) },
  });
  return true;
}
