import { sql, type Kysely } from "kysely";
import { OperatorNeededError } from "../domain/errors.ts";
import { recordEvents } from "./audit.ts";
import { finishCheck } from "./checks.ts";
import { transact, type Ledger } from "./database.ts";
import { refuseLoginClash } from "./login-clashes.ts";
import { lockRegistry } from "./registry.ts";
import { connectionCase, type ConnectionCase } from "./rotation-cases.ts";
import type { Tables } from "./tables.ts";
import { changeVersions, type VersionChange } from "./versions.ts";

/** A value of today that somebody gave, with what it takes to look whether the issuer accepts it. */
export interface AdoptCase {
  readonly checkId: string;
  readonly requestedBy: string;
  readonly instance: string;
  readonly credentialId: string;
  readonly credentialName: string;
  readonly config: unknown;
  readonly connection: ConnectionCase;
  /** The login of a value that nobody knows; null: the value waits in custody. */
  readonly username: string | null;
  /** The version that is to be adopted. */
  readonly version: { readonly versionId: string; readonly number: number };
}

/** Undefined when there is no such check, or its credential has nothing to adopt. */
export async function readAdoptCase(db: Kysely<Tables>, checkId: string): Promise<AdoptCase | undefined> {
  const { rows } = await sql<AdoptCase & { readonly connection: { readonly identity: string | null } }>`
    SELECT k.id AS "checkId", k.requested_by AS "requestedBy", i.id AS instance,
      c.id AS "credentialId", t.name || '/' || c.name AS "credentialName", c.config,
      ${connectionCase} AS connection,
      k.arguments ->> 'username' AS username,
      jsonb_build_object('versionId', v.id, 'number', v.number) AS version
    FROM checks k
    JOIN credentials c ON c.id = k.subject_id
    JOIN teams t ON t.id = c.team_id
    JOIN connections u ON u.id = c.connection_id
    JOIN teams ut ON ut.id = u.team_id
    JOIN versions v ON v.id = k.arguments ->> 'versionId'
    CROSS JOIN instance i
    WHERE k.id = ${checkId}`.execute(db);
  const [row] = rows;
  if (row === undefined) return undefined;
  return { ...row, connection: { ...row.connection, identity: row.connection.identity ?? undefined } };
}

/**
 * Today's value is version 1 from now on, and the connection's server is known.
 * @throws {OperatorNeededError} `connection_changed` when the connection was edited while it was looked at;
 * `principal_is_connection`, `principal_claimed` when others have one of the logins on that server.
 */
export function adoptVersion(
  ledger: Ledger,
  check: AdoptCase,
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
    await finishCheck(trx, check.checkId, { ok: true, findings: [] });
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
