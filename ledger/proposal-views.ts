import { sql, type Kysely } from "kysely";
import type { Scope } from "../domain/scope.ts";
import type { SeenClient } from "./proposals.ts";
import { ownsCredential } from "./scope.ts";
import type { Tables } from "./tables.ts";

/** `registered`: a consumer explains it. `dismissed`: a person wants none, which opens no guard. */
export type ProposalState = "open" | "registered" | "dismissed";

export interface ProposalView extends SeenClient {
  readonly id: string;
  readonly credentialId: string;
  /** `team/name` */
  readonly credential: string;
  /** Of the credential. */
  readonly team: string;
  readonly environment: string;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
  /** In how many of them. */
  readonly samples: number;
  /** In which it was last seen; null: by a look outside of any. */
  readonly rotation: string | null;
  readonly state: ProposalState;
  /** `team/name` of the consumer that explains it. */
  readonly consumer: string | null;
  readonly dismissedBy: string | null;
  readonly reason: string | null;
}

export interface ProposalQuery {
  readonly scope: Scope;
  readonly id?: string | undefined;
  readonly credentialId?: string | undefined;
  /** False: settled ones too. */
  readonly onlyOpen: boolean;
  readonly limit: number;
}

/** Whom somebody saw last comes first. Who is on a credential is told to its owner alone. */
export async function listProposals(db: Kysely<Tables>, query: ProposalQuery): Promise<readonly ProposalView[]> {
  const { scope, id = null, credentialId = null, onlyOpen, limit } = query;
  const { rows } = await sql<ProposalView>`
    SELECT p.id, c.id AS "credentialId", t.name || '/' || c.name AS credential, t.name AS team, e.name AS environment,
      p.principal, p.database, p.address, p.application_name AS "applicationName",
      p.first_seen_at AS "firstSeenAt", p.last_seen_at AS "lastSeenAt", p.samples, p.rotation_id AS rotation, p.state,
      nt.name || '/' || n.name AS consumer, p.dismissed_by AS "dismissedBy", p.reason
    FROM proposals p JOIN credentials c ON c.id = p.credential_id AND c.retired_at IS NULL
    JOIN teams t ON t.id = c.team_id JOIN environments e ON e.id = c.environment_id
    LEFT JOIN consumers n ON n.id = p.consumer_id LEFT JOIN teams nt ON nt.id = n.team_id
    WHERE ${ownsCredential(scope)} AND (${id}::text IS NULL OR p.id = ${id})
      AND (${credentialId}::text IS NULL OR c.id = ${credentialId}) AND (NOT ${onlyOpen} OR p.state = 'open')
    ORDER BY p.last_seen_at DESC, p.id LIMIT ${limit}`.execute(db);
  return rows;
}
