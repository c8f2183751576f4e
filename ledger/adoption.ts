import { randomBytes } from "node:crypto";
import { sql, type Transaction } from "kysely";
import { OperatorNeededError } from "../domain/errors.ts";
import { requestCheck } from "./checks.ts";
import { transact, type Ledger } from "./database.ts";
import { newId } from "./new-id.ts";
import type { Tables } from "./tables.ts";

/** Where the value of a version that is being adopted goes. */
export interface AdoptedPlace {
  readonly instance: string;
  readonly credentialId: string;
  readonly number: number;
  readonly versionId: string;
  readonly pool: string;
  /** Of the connection, which the rest of the value is derived from. */
  readonly settings: unknown;
}

export interface AdoptRequest {
  readonly credentialId: string;
  readonly actor: string;
  /**
   * Puts the value into custody, in place of one that an earlier attempt may have left there. `unknown`: nobody has it;
   * only the login is known that it belongs to.
   */
  readonly put: ((place: AdoptedPlace) => Promise<void>) | { readonly unknown: string };
}

interface AdoptRow {
  readonly name: string;
  readonly connection_id: string;
  readonly pool: string;
  readonly settings: unknown;
  readonly instance: string;
  readonly current_version: number | null;
  readonly pending: string | null;
}

const first = 1;

/**
 * Takes the value that a credential has today as its version 1: in custody, intended, and a check that looks whether the
 * issuer accepts it. The check's id. The credential's row stays locked until the value lies in custody, so that of two
 * people's values only one can be there.
 * @throws {OperatorNeededError} `already_adopted`, `check_pending`
 */
export function adoptCredential(ledger: Ledger, request: AdoptRequest): Promise<string> {
  const { credentialId, actor, put } = request;
  return transact(ledger, async (trx) => {
    const row = await lockForAdoption(trx, credentialId);
    const versionId = newId("version");
    // An attempt that failed left its row and its value; neither was ever in force for us.
    await sql`DELETE FROM versions WHERE credential_id = ${credentialId} AND number = ${first} AND state = 'intended'
      `.execute(trx);
    await sql`
      INSERT INTO versions (id, credential_id, connection_id, number, state, operation_key, is_unknown)
      VALUES (${versionId}, ${credentialId}, ${row.connection_id}, ${first}, 'intended',
        ${randomBytes(16).toString("hex")}, ${"unknown" in put})`.execute(trx);
    await sql`UPDATE credentials SET next_version = greatest(next_version, ${first + 1}) WHERE id = ${credentialId}
      `.execute(trx);
    const { instance, pool, settings } = row;
    if (!("unknown" in put)) await put({ instance, credentialId, number: first, versionId, pool, settings });
    return requestCheck(trx, {
      kind: "adopt",
      subjectId: credentialId,
      arguments: { versionId, number: first, ...("unknown" in put ? { username: put.unknown } : {}) },
      requestedBy: actor,
    });
  });
}

async function lockForAdoption(trx: Transaction<Tables>, credentialId: string): Promise<AdoptRow> {
  // A statement of its own: what the next one reads is then newer than whatever the lock had to wait for.
  await sql`SELECT id FROM credentials WHERE id = ${credentialId} FOR UPDATE`.execute(trx);
  const { rows } = await sql<AdoptRow>`
    SELECT t.name || '/' || c.name AS name, c.connection_id, n.pool, n.settings, c.current_version,
      (SELECT id FROM instance) AS instance,
      (SELECT k.id FROM checks k WHERE k.subject_id = c.id AND k.kind IN ('adopt', 'move') AND k.state = 'pending' LIMIT 1) AS pending
    FROM credentials c JOIN teams t ON t.id = c.team_id JOIN connections n ON n.id = c.connection_id
    WHERE c.id = ${credentialId} AND c.retired_at IS NULL`.execute(trx);
  const [row] = rows;
  if (row === undefined) throw new OperatorNeededError("not_found", "The credential is gone. List what there is.");
  if (row.current_version !== null)
    throw new OperatorNeededError(
      "already_adopted",
      `${row.name} has version ${row.current_version}. To replace it: rekey rotate ${row.name}`,
    );
  if (row.pending !== null)
    throw new OperatorNeededError(
      "check_pending",
      `Check ${row.pending} of ${row.name} is under way. Wait for it, and see that a worker runs.`,
    );
  return row;
}
