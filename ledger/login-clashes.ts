import { sql, type Kysely } from "kysely";
import { OperatorNeededError, type Code } from "../domain/errors.ts";
import { serverOf } from "./server-of.ts";
import type { Tables } from "./tables.ts";

/** A login that two have, on what is known to be one server. */
interface LoginClash {
  readonly credential_id: string;
  /** `team/name` */
  readonly credential: string;
  readonly principal: string;
  /** The connection that logs in with it; null: it is two credentials'. */
  readonly connection: string | null;
  /** The other credential that has it; null: the first one has the login of a connection. */
  readonly other: string | null;
}

export interface LoginRefusal {
  readonly code: Code;
  /** Who has it, and what to do. */
  readonly detail: string;
}

/**
 * Invariant 19, and one login for one credential, over all connections to one server: why each of these credentials may
 * not be rotated; one with nothing against it is left out. Another credential counts from its registration on, or only
 * once it is adopted. Manifests are judged before anybody has seen the server behind a new connection, so this is asked
 * again when it is seen, under `lockRegistry`.
 */
export async function findLoginClashes(
  db: Kysely<Tables>,
  credentialIds: readonly string[],
  others: "registered" | "adopted",
): Promise<ReadonlyMap<string, LoginRefusal>> {
  const ids = [...credentialIds];
  const { rows } = await sql<LoginClash>`
    WITH connection AS (
      SELECT n.id, t.name || '/' || n.name AS name, n.admin_principal AS principal, ${serverOf} AS server
      FROM connections n JOIN teams t ON t.id = n.team_id WHERE n.retired_at IS NULL
    ), reached AS (
      SELECT * FROM connection WHERE server IN (
        SELECT k.server FROM connection k JOIN credentials c ON c.connection_id = k.id WHERE c.id = ANY(${ids}))
    ), login AS (
      SELECT c.id, t.name || '/' || c.name AS name, r.server, p AS principal,
        c.current_version IS NOT NULL OR ${others === "registered"} AS counts
      FROM reached r JOIN credentials c ON c.connection_id = r.id AND c.retired_at IS NULL
      JOIN teams t ON t.id = c.team_id
      CROSS JOIN unnest(c.principals) AS p
    ), clash AS (
      SELECT l.id AS credential_id, l.name AS credential, l.principal, r.name AS connection, NULL AS other
      FROM login l JOIN reached r USING (server, principal) WHERE l.id = ANY(${ids})
      UNION ALL
      SELECT c.id, l.name, l.principal, r.name, l.name
      FROM credentials c JOIN reached r ON r.id = c.connection_id JOIN login l USING (server, principal)
      WHERE c.id = ANY(${ids}) AND l.id <> c.id AND l.counts
      UNION ALL
      SELECT l.id, l.name, l.principal, NULL, o.name
      FROM login l JOIN login o USING (server, principal) WHERE l.id = ANY(${ids}) AND o.id <> l.id AND o.counts
    )
    SELECT DISTINCT ON (credential_id) * FROM clash
    ORDER BY credential_id, connection NULLS LAST, other NULLS FIRST, principal`.execute(db);
  return new Map(rows.map((row) => [row.credential_id, asRefusal(row)]));
}

function asRefusal({ credential, principal, connection, other }: LoginClash): LoginRefusal {
  if (connection === null)
    return {
      code: "principal_claimed",
      detail: `${credential} names the login ${principal}, which credential ${other ?? ""} has too, on the same server. Take it out of one of the two manifests.`,
    };
  const mend = `Give the connection a login of its own.`;
  return {
    code: "principal_is_connection",
    detail:
      other === null
        ? `${credential} names the login ${principal}, which connection ${connection} logs in with, on the same server. ${mend}`
        : `Connection ${connection} logs in as ${principal}, a login of credential ${other} on the same server. ${mend}`,
  };
}

/**
 * @throws {OperatorNeededError} `principal_is_connection`, `principal_claimed`
 */
export async function refuseLoginClash(trx: Kysely<Tables>, credentialId: string): Promise<void> {
  const refusal = (await findLoginClashes(trx, [credentialId], "registered")).get(credentialId);
  if (refusal !== undefined) throw new OperatorNeededError(refusal.code, refusal.detail);
}
