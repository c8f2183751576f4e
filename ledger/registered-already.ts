import { sql, type Kysely } from "kysely";
import type { Tables } from "./tables.ts";

/** `team/name` of a credential by its id; undefined when there is none, or it was deleted. */
export async function readRegisteredCredential(db: Kysely<Tables>, id: string): Promise<string | undefined> {
  const { rows } = await sql<{ ref: string }>`
    SELECT t.name || '/' || c.name AS ref FROM credentials c JOIN teams t ON t.id = c.team_id
    WHERE c.id = ${id} AND c.retired_at IS NULL`.execute(db);
  return rows[0]?.ref;
}

export interface ConnectionQuestion {
  readonly team: string;
  readonly environment: string;
  readonly kind: string;
  /** The login that it works with. */
  readonly adminPrincipal: string;
  /** What the server calls itself. */
  readonly identity: string;
  /** Counts while nobody has seen the server behind the connection. */
  readonly settings: unknown;
}

/** `team/name` of the team's connection that leads to this server with this login. */
export async function findConnectionTo(db: Kysely<Tables>, question: ConnectionQuestion): Promise<string | undefined> {
  const { team, environment, kind, adminPrincipal, identity, settings } = question;
  const { rows } = await sql<{ ref: string }>`
    SELECT t.name || '/' || n.name AS ref FROM connections n JOIN teams t ON t.id = n.team_id
    JOIN environments e ON e.id = n.environment_id
    WHERE n.retired_at IS NULL AND t.name = ${team} AND e.name = ${environment} AND n.kind = ${kind}
      AND n.admin_principal = ${adminPrincipal}
      AND (n.identity = ${identity} OR (n.identity IS NULL AND n.settings::jsonb = ${JSON.stringify(settings)}::jsonb))
    ORDER BY n.id LIMIT 1`.execute(db);
  return rows[0]?.ref;
}
