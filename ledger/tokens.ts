import { sql, type Kysely, type Transaction } from "kysely";
import type { Role } from "../domain/role.ts";
import { recordEvent } from "./audit.ts";
import { outdateGrants } from "./grants.ts";
import { locks, transact, type Ledger } from "./database.ts";
import { newId } from "./new-id.ts";
import type { Tables } from "./tables.ts";

/** `revoked`: by a person, or with the team whose it was. */
export type TokenState = "valid" | "expired" | "revoked";

export interface Token {
  readonly id: string;
  /** As stored: a role that this release does not know may do nothing. */
  readonly role: string;
  /** Of the role `team`. */
  readonly teamId: string | null;
  readonly state: TokenState;
}

export interface TokenRequest {
  readonly digest: Buffer;
  readonly role: Role;
  /** Of the role `team`, and of no other. */
  readonly teamId?: string | undefined;
  readonly description?: string;
  readonly lifeMs: number;
  readonly actor: string;
}

export interface StoredToken {
  readonly id: string;
  readonly expiresAt: Date;
}

/** Stores what a token is recognised by, never the token. Its id names its bearer in the audit trail. */
export function storeToken(ledger: Ledger, request: TokenRequest): Promise<StoredToken> {
  return transact(ledger, (trx) => insertToken(trx, request));
}

/**
 * Stores an admin's token where no admin has a valid one, and nothing otherwise. Several processes that start on a new
 * ledger at once store one together.
 */
export function storeFirstToken(
  ledger: Ledger,
  request: Omit<TokenRequest, "role" | "teamId">,
): Promise<StoredToken | undefined> {
  return transact(ledger, async (trx) => {
    await sql`SELECT pg_advisory_xact_lock(${locks.firstToken})`.execute(trx);
    const { rows } = await sql`
      SELECT 1 FROM tokens WHERE role = 'admin' AND revoked_at IS NULL AND expires_at > clock_timestamp()
      LIMIT 1`.execute(trx);
    return rows.length > 0 ? undefined : insertToken(trx, { ...request, role: "admin" });
  });
}

async function insertToken(trx: Transaction<Tables>, request: TokenRequest): Promise<StoredToken> {
  const { digest, role, teamId = null, description = "", lifeMs, actor } = request;
  const id = newId("token");
  const { rows } = await sql<{ expiresAt: Date }>`
    INSERT INTO tokens (id, digest, role, team_id, description, made_by, expires_at)
    VALUES (${id}, ${digest}, ${role}, ${teamId}, ${description}, ${actor},
      clock_timestamp() + ${lifeMs} * interval '1 millisecond')
    RETURNING expires_at AS "expiresAt"`.execute(trx);
  const [row] = rows;
  if (row === undefined) throw new Error("The ledger has lost the token.");
  const expiresAt = row.expiresAt.toISOString();
  const details = { token: id, role, ...(teamId === null ? {} : { team: teamId }), description, expiresAt };
  await recordEvent(trx, { actor, action: "token.made", details });
  return { id, expiresAt: row.expiresAt };
}

/** Of a token `k` and its team `t`. */
const state = sql<TokenState>`CASE WHEN k.revoked_at IS NOT NULL OR t.retired_at IS NOT NULL THEN 'revoked'
  WHEN k.expires_at <= clock_timestamp() THEN 'expired' ELSE 'valid' END`;

/** The token with this SHA-256, whatever its state. Notes its use, once a minute at most. */
export async function findToken({ db }: Ledger, digest: Buffer): Promise<Token | undefined> {
  const { rows } = await sql<Token & { readonly isUseNoted: boolean }>`
    SELECT k.id, k.role, k.team_id AS "teamId", ${state} AS state,
      coalesce(k.last_used_at > clock_timestamp() - interval '1 minute', false) AS "isUseNoted"
    FROM tokens k LEFT JOIN teams t ON t.id = k.team_id WHERE k.digest = ${digest}`.execute(db);
  const [row] = rows;
  if (row === undefined) return undefined;
  const { isUseNoted, ...token } = row;
  if (!isUseNoted && token.state === "valid")
    await sql`UPDATE tokens SET last_used_at = clock_timestamp() WHERE id = ${token.id}`.execute(db);
  return token;
}

/** Of a team that is there: the one whose a token is. */
export async function readTeamName(db: Kysely<Tables>, id: string): Promise<string | undefined> {
  const { rows } = await sql<{ name: string }>`
    SELECT name FROM teams WHERE id = ${id} AND retired_at IS NULL`.execute(db);
  return rows[0]?.name;
}

export interface TokenView extends Omit<Token, "teamId"> {
  readonly team: string | null;
  readonly description: string;
  readonly madeBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** To the minute. */
  readonly lastUsedAt: Date | null;
}

export interface TokenQuery {
  readonly onlyValid: boolean;
  /** The id of the last one of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** In the order in which they were made. */
export async function listTokens({ db }: Ledger, { onlyValid, after = "", limit }: TokenQuery) {
  const { rows } = await sql<TokenView>`
    SELECT * FROM (
      SELECT k.id, k.role, t.name AS team, k.description, k.made_by AS "madeBy", k.created_at AS "createdAt",
        k.expires_at AS "expiresAt", k.last_used_at AS "lastUsedAt", ${state} AS state
      FROM tokens k LEFT JOIN teams t ON t.id = k.team_id) all_tokens
    WHERE id > ${after} AND (NOT ${onlyValid} OR state = 'valid') ORDER BY id LIMIT ${limit}`.execute(db);
  return rows;
}

/** From its next request on the token is refused. False when it was revoked before; undefined when there is none. */
export function revokeToken(
  ledger: Ledger,
  { id, actor }: { readonly id: string; readonly actor: string },
): Promise<boolean | undefined> {
  return transact(ledger, async (trx) => {
    const before = await lockToken(trx, id);
    if (before === undefined) return undefined;
    if (before.revokedAt !== null) return false;
    await sql`UPDATE tokens SET revoked_at = clock_timestamp() WHERE id = ${id}`.execute(trx);
    await recordEvent(trx, { actor, action: "token.revoked", details: { token: id, role: before.role } });
    await outdateGrants(trx, sql`g.requested_by = ${id}`, "The token that asked for it was revoked.", actor);
    return true;
  });
}

async function lockToken(trx: Transaction<Tables>, id: string) {
  const { rows } = await sql<{ role: string; revokedAt: Date | null }>`
    SELECT role, revoked_at AS "revokedAt" FROM tokens WHERE id = ${id} FOR UPDATE`.execute(trx);
  return rows[0];
}
