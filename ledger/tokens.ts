import { sql } from "kysely";
import { recordEvent } from "./audit.ts";
import type { Ledger } from "./database.ts";
import { newId } from "./new-id.ts";

export interface Token {
  readonly id: string;
  readonly role: string;
  readonly isExpired: boolean;
}

/** Stores what a token is recognised by, never the token. Returns its id, which names its bearer in the audit trail. */
export function storeToken(
  ledger: Ledger,
  { digest, role, days }: { readonly digest: Buffer; readonly role: string; readonly days: number },
): Promise<string> {
  const id = newId("token");
  return ledger.db.transaction().execute(async (trx) => {
    await sql`
      INSERT INTO tokens (id, digest, role, expires_at)
      VALUES (${id}, ${digest}, ${role}, clock_timestamp() + ${days} * interval '1 day')`.execute(trx);
    await recordEvent(trx, { actor: "system:api", action: "token.made", details: { token: id, role, days } });
    return id;
  });
}

/** The token with this SHA-256; an expired one is answered as that. Notes its use, once a minute at most. */
export async function findToken({ db }: Ledger, digest: Buffer): Promise<Token | undefined> {
  const { rows } = await sql<Token & { readonly isUseNoted: boolean }>`
    SELECT id, role, expires_at <= clock_timestamp() AS "isExpired",
      coalesce(last_used_at > clock_timestamp() - interval '1 minute', false) AS "isUseNoted"
    FROM tokens WHERE digest = ${digest}`.execute(db);
  const [row] = rows;
  if (row === undefined) return undefined;
  if (!row.isUseNoted && !row.isExpired)
    await sql`UPDATE tokens SET last_used_at = clock_timestamp() WHERE id = ${row.id}`.execute(db);
  return { id: row.id, role: row.role, isExpired: row.isExpired };
}
