import { sql, type Kysely } from "kysely";
import type { GrantState } from "../domain/grant.ts";
import type { Scope } from "../domain/scope.ts";
import { askedForGrant, ownsCredential, seesGrant } from "./scope.ts";
import type { Tables } from "./tables.ts";

export interface GrantSummary {
  readonly id: string;
  /** `team/name` */
  readonly consumer: string;
  /** `team/name` */
  readonly credential: string;
  readonly state: GrantState;
  readonly digest: string;
  /** A token; empty for who only sees it as another team's. */
  readonly requestedBy: string;
  readonly requestedAt: Date;
  readonly decidedBy: string;
  readonly decidedAt: Date | null;
  readonly reason: string;
  /** Whether the credential is the caller's to decide about. */
  readonly isOwner: boolean;
  readonly isRequester: boolean;
  readonly isPlaceAllowed: boolean;
  /** Of the credential; what is approved is part of it from then on. */
  readonly openRotation: string | null;
  readonly content: Readonly<Record<string, unknown>>;
}

export interface GrantQuery {
  readonly scope: Scope;
  readonly id?: string | undefined;
  readonly state?: GrantState | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

/** In the order in which they were asked for. Who owns the credential sees who did what; another team, its own part. */
export async function listGrants(db: Kysely<Tables>, query: GrantQuery): Promise<readonly GrantSummary[]> {
  const { scope, id = null, state = null, after = "", limit } = query;
  const { rows } = await sql<GrantSummary>`
    SELECT g.id, t.name || '/' || g.consumer AS consumer, ct.name || '/' || c.name AS credential, g.state, g.digest,
      CASE WHEN ${ownsCredential(scope)} OR g.by_team THEN g.requested_by ELSE '' END AS "requestedBy",
      g.requested_at AS "requestedAt",
      CASE WHEN ${ownsCredential(scope)} OR g.state = 'withdrawn' THEN coalesce(g.decided_by, '') ELSE '' END
        AS "decidedBy",
      g.decided_at AS "decidedAt", g.reason, ${ownsCredential(scope)} AS "isOwner",
      ${askedForGrant(scope)} AS "isRequester", g.is_place_allowed AS "isPlaceAllowed", g.content,
      (SELECT r.id FROM rotations r WHERE r.credential_id = c.id AND r.outcome IS NULL AND ${ownsCredential(scope)})
        AS "openRotation"
    FROM grants g JOIN teams t ON t.id = g.team_id JOIN credentials c ON c.id = g.credential_id
    JOIN teams ct ON ct.id = c.team_id
    WHERE ${seesGrant(scope)} AND g.id > ${after} AND (${id}::text IS NULL OR g.id = ${id})
      AND (${state}::text IS NULL OR g.state = ${state})
    ORDER BY g.id LIMIT ${limit}`.execute(db);
  return rows;
}
