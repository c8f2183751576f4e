import { sql, type Kysely } from "kysely";
import { OperatorNeededError } from "../domain/errors.ts";
import { recordEvents } from "./audit.ts";
import { finishCheck, type CheckFinding } from "./checks.ts";
import { transact, type Ledger } from "./database.ts";
import { refuseLoginClash } from "./login-clashes.ts";
import { lockRegistry } from "./registry.ts";
import type { ConnectionCase } from "./rotation-cases.ts";
import type { Tables } from "./tables.ts";
import { changeVersions, type VersionChange } from "./versions.ts";

/** A look outside that somebody asked for, with what it takes to do it. */
export interface CheckCase {
  readonly checkId: string;
  readonly kind: "adopt";
  readonly state: "pending" | "done" | "failed";
  readonly requestedBy: string;
  readonly instance: string;
  readonly credentialId: string;
  readonly credentialName: string;
  readonly config: unknown;
  readonly connection: ConnectionCase;
  /** The version whose value waits in custody to be adopted. */
  readonly version: { readonly versionId: string; readonly number: number };
}

/** Undefined when there is no such check, or its credential has nothing to adopt. */
export async function readCheckCase(db: Kysely<Tables>, checkId: string): Promise<CheckCase | undefined> {
  const { rows } = await sql<CheckCase & { readonly connection: { readonly identity: string | null } }>`
    SELECT k.id AS "checkId", k.kind, k.state, k.requested_by AS "requestedBy", i.id AS instance,
      c.id AS "credentialId", t.name || '/' || c.name AS "credentialName", c.config,
      jsonb_build_object('id', n.id, 'name', n.name, 'kind', n.kind, 'settings', n.settings, 'pool', n.pool,
        'secret_row', n.secret_row, 'secret_revision', n.secret_revision, 'identity', n.identity,
        'revision', n.revision) AS connection,
      jsonb_build_object('versionId', v.id, 'number', v.number) AS version
    FROM checks k
    JOIN credentials c ON c.id = k.subject_id
    JOIN teams t ON t.id = c.team_id
    JOIN connections n ON n.id = c.connection_id
    JOIN versions v ON v.id = k.arguments ->> 'versionId'
    CROSS JOIN instance i
    WHERE k.id = ${checkId}`.execute(db);
  const [row] = rows;
  if (row === undefined) return undefined;
  return { ...row, connection: { ...row.connection, identity: row.connection.identity ?? undefined } };
}

/** Closes a check with what it found; one that is closed already stays as it is. */
export function failCheck(ledger: Ledger, check: CheckCase, findings: readonly CheckFinding[]): Promise<void> {
  return transact(ledger, async (trx) => {
    await finishCheck(trx, { checkId: check.checkId, ok: false, findings });
  });
}

/**
 * Today's value is version 1 from now on, and the connection's server is known.
 * @throws {OperatorNeededError} `connection_changed` when the connection was edited while it was looked at;
 * `principal_is_connection`, `principal_claimed` when others have one of the logins on that server.
 */
export function adoptVersion(
  ledger: Ledger,
  check: CheckCase,
  adopted: { readonly identity: string; readonly version: VersionChange },
): Promise<void> {
  return transact(ledger, async (trx) => {
    const { id, revision } = check.connection;
    await lockRegistry(trx);
    await sql`SELECT FROM credentials WHERE id = ${check.credentialId} FOR UPDATE`.execute(trx);
    const { rows } = await sql`
      UPDATE connections SET identity = ${adopted.identity} WHERE id = ${id} AND revision = ${revision} RETURNING id
      `.execute(trx);
    if (rows.length === 0)
      throw new OperatorNeededError(
        "connection_changed",
        `Connection ${check.connection.name} was edited while its server was looked at. Nothing was changed. Adopt again.`,
      );
    await refuseLoginClash(trx, check.credentialId);
    await changeVersions(trx, [{ ...adopted.version, state: "live" }]);
    await sql`
      UPDATE credentials SET current_version = ${check.version.number},
        next_version = greatest(next_version, ${check.version.number + 1})
      WHERE id = ${check.credentialId} AND current_version IS NULL`.execute(trx);
    await finishCheck(trx, { checkId: check.checkId, ok: true, findings: [] });
    await recordEvents(trx, [
      {
        credentialId: check.credentialId,
        actor: check.requestedBy,
        action: "credential.adopted",
        details: { version: check.version.number, handle: adopted.version.handle },
      },
    ]);
  });
}
