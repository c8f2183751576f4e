import { sql, type Kysely } from "kysely";
import { checkSecretLifeMs, checkSubjects, type CheckKind } from "../domain/check.ts";
import { OperatorNeededError, type Code } from "../domain/errors.ts";
import type { Scope } from "../domain/scope.ts";
import { recordEvent, type Plain } from "./audit.ts";
import { transact, type Ledger } from "./database.ts";
import { newId } from "./new-id.ts";
import { ownsConsumer, ownsCredential, ownsNotice } from "./scope.ts";
import type { Tables } from "./tables.ts";

/** One thing that a check found. `mend` is ready to paste at the issuer. */
export interface CheckFinding {
  readonly code: Code;
  readonly detail: string;
  readonly mend?: string;
}

export interface Check {
  readonly checkId: string;
  readonly kind: CheckKind;
  /** The row that it looks at; which one its kind says. */
  readonly subjectId: string | null;
  readonly pool: string;
  readonly arguments: Readonly<Record<string, unknown>>;
  readonly state: "pending" | "done" | "failed";
  /** Of a secret that was given for this check alone; null: none was. `awaited`: it is on its way into custody. */
  readonly secret: "awaited" | "held" | "destroyed" | null;
  readonly findings: readonly CheckFinding[];
  /** What was seen, in the shape of the kind; nothing of a value. */
  readonly result: unknown;
  readonly requestedBy: string;
  readonly instance: string;
  /** Its secret has waited for too long: it is destroyed unused. */
  readonly isExpired: boolean;
  readonly at: Date;
  readonly finishedAt: Date | null;
}

export interface CheckRequest {
  readonly kind: CheckKind;
  /** Of the row that the kind looks at; absent where that is nothing. */
  readonly subjectId?: string;
  /** Never anything of a value. */
  readonly arguments?: Readonly<Record<string, Plain>>;
  readonly requestedBy: string;
}

/** Asks for a look outside, in the caller's transaction. A worker takes it up; whoever asked polls `readCheck`. */
export function requestCheck(trx: Kysely<Tables>, request: CheckRequest): Promise<string> {
  return insertCheck(trx, request, null);
}

/** How the secret of one check goes into custody, and out of it. */
export interface CheckSecret {
  put(check: Check): Promise<void>;
  forget(check: Check): Promise<void>;
}

/**
 * The same with a secret for this check alone, which `put` puts into custody. No worker takes up the check before it is
 * there, and the row that is there first sees to it that it is destroyed, whatever happens in between.
 * @throws {OperatorNeededError} `check_expired` when it took so long that the check was given up.
 */
export async function requestCheckWithSecret(
  ledger: Ledger,
  request: CheckRequest,
  secret: CheckSecret,
): Promise<string> {
  const checkId = await transact(ledger, (trx) => insertCheck(trx, request, "awaited"));
  const check = await readCheck(ledger.db, "everything", checkId);
  if (check === undefined) throw new Error("The ledger has lost the check.");
  await secret.put(check);
  const isHeld = await transact(ledger, async (trx) => {
    const { rows } = await sql`
      UPDATE checks SET secret = 'held' WHERE id = ${checkId} AND secret = 'awaited' RETURNING id`.execute(trx);
    if (rows.length > 0) await recordCheck(trx, check, request.requestedBy, "check.secret_held");
    return rows.length > 0;
  });
  if (isHeld) return checkId;
  // A worker has given it up meanwhile and found nothing to destroy.
  await secret.forget(check);
  throw new OperatorNeededError("check_expired", "Its secret came too late. Ask again.");
}

async function insertCheck(trx: Kysely<Tables>, request: CheckRequest, secret: Check["secret"]): Promise<string> {
  const { kind, subjectId = null, requestedBy } = request;
  const id = newId("check");
  await sql`
    INSERT INTO checks (id, kind, subject_id, pool, arguments, requested_by, secret)
    VALUES (${id}, ${kind}, ${subjectId}, coalesce((
        SELECT n.pool FROM connections n
        LEFT JOIN credentials c ON c.connection_id = n.id LEFT JOIN consumers s ON s.credential_id = c.id
        WHERE ${subjectId} IN (n.id, c.id, s.id) LIMIT 1), 'default'),
      ${JSON.stringify(request.arguments ?? {})}::json, ${requestedBy}, ${secret})`.execute(trx);
  await recordCheck(trx, { checkId: id, kind, subjectId }, requestedBy, "check.requested");
  return id;
}

/** An audit row of the check: of the credential that it looks at or that its consumer belongs to; else of none. */
async function recordCheck(
  trx: Kysely<Tables>,
  { checkId, kind, subjectId }: Pick<Check, "checkId" | "kind" | "subjectId">,
  actor: string,
  action: string,
  details: Readonly<Record<string, Plain>> = {},
): Promise<void> {
  const { rows } = await sql<{ id: string }>`
    SELECT id FROM credentials WHERE id = ${subjectId}
    UNION ALL SELECT credential_id FROM consumers WHERE id = ${subjectId}`.execute(trx);
  const subject = subjectId === null || checkSubjects[kind] === "credential" ? {} : { subject: subjectId };
  await recordEvent(trx, {
    credentialId: rows[0]?.id,
    actor,
    action,
    details: { check: checkId, kind, ...subject, ...details },
  });
}

const isOver = sql`at < clock_timestamp() - ${checkSecretLifeMs} * interval '1 millisecond'`;

const columns = sql`id AS "checkId", kind, subject_id AS "subjectId", pool, arguments, state, secret, findings, result,
  requested_by AS "requestedBy", (SELECT id FROM instance) AS instance, secret IS NOT NULL AND ${isOver} AS "isExpired",
  at, finished_at AS "finishedAt"`;

/** A worker has something to do for it: the look, or the end of its secret. */
export const isCheckDue = sql<boolean>`
  (state = 'pending' AND secret IS DISTINCT FROM 'awaited')
  OR (secret IN ('awaited', 'held') AND (state <> 'pending' OR ${isOver}))`;

/**
 * Of what a team looked at: its own credential, or its own consumer. What was seen of a consumer of another team's
 * credential is the team's only where the look kept to that consumer.
 */
const seesCheck = (scope: Scope) =>
  scope === "everything"
    ? sql`true`
    : sql`(EXISTS (SELECT FROM credentials c LEFT JOIN consumers n ON n.credential_id = c.id AND n.id = checks.subject_id
        WHERE (c.id = checks.subject_id AND ${ownsCredential(scope)})
          OR (n.id IS NOT NULL AND ${ownsConsumer(scope)}
            AND (${ownsCredential(scope)} OR checks.arguments ->> 'onlyOwn' = 'true')))
      OR EXISTS (SELECT FROM notices k WHERE k.id = checks.subject_id AND ${ownsNotice(scope)}))`;

export async function readCheck(db: Kysely<Tables>, scope: Scope, checkId: string): Promise<Check | undefined> {
  const { rows } = await sql<Check>`
    SELECT ${columns} FROM checks WHERE id = ${checkId} AND ${seesCheck(scope)}`.execute(db);
  return rows[0];
}

/** The newest check of a kind about a row. */
export async function readLastCheck(
  db: Kysely<Tables>,
  kind: CheckKind,
  subjectId: string,
): Promise<Check | undefined> {
  const { rows } = await sql<Check>`
    SELECT ${columns} FROM checks WHERE subject_id = ${subjectId} AND kind = ${kind} ORDER BY at DESC, id DESC LIMIT 1
    `.execute(db);
  return rows[0];
}

/** Checks that wait for a worker, oldest first. */
export async function readDueChecks({ db }: Ledger, limit: number): Promise<readonly Check[]> {
  const { rows } = await sql<Check>`
    SELECT ${columns} FROM checks WHERE ${isCheckDue} ORDER BY at, id LIMIT ${limit}`.execute(db);
  return rows;
}

export interface CheckOutcome {
  readonly ok: boolean;
  readonly findings: readonly CheckFinding[];
  /** In the shape of the kind; nothing of a value. */
  readonly result?: Readonly<Record<string, unknown>>;
}

/** Records what was found, once: false when the check had its answer already. */
export async function finishCheck(
  trx: Kysely<Tables>,
  checkId: string,
  { ok, findings, result }: CheckOutcome,
): Promise<boolean> {
  const { rows } = await sql<{ subjectId: string | null; kind: CheckKind }>`
    UPDATE checks SET state = ${ok ? "done" : "failed"}, findings = ${JSON.stringify(findings)}::jsonb,
      result = ${result === undefined ? null : JSON.stringify(result)}::json, finished_at = clock_timestamp()
    WHERE id = ${checkId} AND state = 'pending' RETURNING subject_id AS "subjectId", kind`.execute(trx);
  const [row] = rows;
  if (row === undefined) return false;
  const codes = findings.map(({ code }) => code);
  await recordCheck(trx, { ...row, checkId }, "system:worker", ok ? "check.done" : "check.failed", { codes });
  return true;
}

/** The secret of a check is no longer in custody. */
export async function recordSecretDestroyed(ledger: Ledger, check: Check): Promise<void> {
  await transact(ledger, async (trx) => {
    const { rows } = await sql`
      UPDATE checks SET secret = 'destroyed' WHERE id = ${check.checkId} AND secret IN ('awaited', 'held')
      RETURNING id`.execute(trx);
    if (rows.length > 0) await recordCheck(trx, check, "system:worker", "check.secret_destroyed");
  });
}
