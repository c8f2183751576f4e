import { sql } from "kysely";
import pg from "pg";
import { OperatorNeededError, TransientError } from "../domain/errors.ts";
import { recordEvent } from "./audit.ts";
import { lockRotations } from "./begin-steps.ts";
import { transact, type Ledger } from "./database.ts";
import { refuseLoginClash } from "./login-clashes.ts";
import { lockRegistry } from "./registry.ts";

export interface LearnedIdentity {
  readonly rotationId: string;
  readonly credentialId: string;
  readonly connectionId: string;
  /** The connection's revision when the server was looked at. */
  readonly revision: number;
  readonly identity: string;
}

/**
 * The server behind a connection's new address is known from now on, and the rotation keeps to it.
 * @throws {OperatorNeededError} `connection_changed` when the connection was edited while it was looked at;
 * `principal_is_connection`, `principal_claimed` when others have one of the logins on that server.
 * @throws {TransientError} `principal_busy` while another rotation has one of the logins, over another connection.
 */
export async function learnIdentity(ledger: Ledger, learned: LearnedIdentity): Promise<void> {
  const { rotationId, credentialId, connectionId, revision, identity } = learned;
  try {
    await transact(ledger, async (trx) => {
      await lockRegistry(trx);
      await lockRotations(trx, [rotationId]);
      const { rows } = await sql`
        UPDATE connections SET identity = ${identity}
        WHERE id = ${connectionId} AND revision = ${revision} AND (identity IS NULL OR identity = ${identity})
        RETURNING id`.execute(trx);
      if (rows.length === 0)
        throw new OperatorNeededError(
          "connection_changed",
          "The connection was edited while its server was looked at. Retry, if it is right now.",
        );
      await refuseLoginClash(trx, credentialId);
      await sql`
        UPDATE rotation_principals SET identity = ${identity}
        WHERE rotation_id = ${rotationId} AND identity = ${`connection:${connectionId}`}`.execute(trx);
      await sql`
        UPDATE rotations SET pinned = pinned || jsonb_build_object('identity', ${identity}::text)
        WHERE id = ${rotationId}`.execute(trx);
      await recordEvent(trx, {
        actor: "system:preflight",
        action: "connection.identity_learned",
        rotationId,
        details: { connection: connectionId, revision },
      });
    });
  } catch (error) {
    if (!isPrincipalTaken(error)) throw error;
    throw new TransientError(
      "principal_busy",
      "Another connection leads to the same server, and a rotation over it uses one of the logins. Wait until it is closed.",
    );
  }
}

function isPrincipalTaken(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.constraint === "one_rotation_per_principal";
}
