import { sql, type Kysely } from "kysely";
import { effectivePolicy, type Policy } from "../domain/policy.ts";
import type { Scope } from "../domain/scope.ts";
import type { StoredEvidence } from "./registry-views.ts";
import { ownsConsumer, ownsCredential, seesConsumer } from "./scope.ts";
import type { Tables } from "./tables.ts";

/** The latest evidence of one source, whichever rotation collected it. */
export interface SeenEvidence {
  readonly source: string;
  readonly strength: string;
  readonly version: number;
  readonly complete: boolean;
  readonly instances: number;
  readonly lacks: readonly string[];
  /** As JSON has it. */
  readonly at: string;
}

export interface ConsumerSummary {
  readonly id: string;
  readonly team: string;
  readonly contact: string;
  readonly name: string;
  /** `team/name` */
  readonly credential: string;
  readonly credentialId: string;
  readonly environment: string;
  readonly kind: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly target: string;
  readonly heldVersion: number | null;
  readonly currentVersion: number | null;
  readonly evidence: StoredEvidence;
  readonly policy: Policy;
  /** Newest first. What it lacks may name others: that is for who owns the credential. */
  readonly seen: readonly SeenEvidence[];
  /** Of the caller's team. */
  readonly isOwn: boolean;
  /** So is the credential. */
  readonly isCredentialOwn: boolean;
}

export interface ConsumerQuery {
  readonly scope: Scope;
  /** An id, `team/name`, or a name. */
  readonly reference?: string | undefined;
  readonly team?: string | undefined;
  readonly credentialId?: string | undefined;
  /** The id of the last one of the page before. */
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Of evidence `v`. */
export const seenLacks = (scope: Scope) => sql`CASE WHEN ${ownsCredential(scope)} THEN v.lacks ELSE '[]' END`;

/** Registered consumers in the order in which they were made. */
export async function listConsumers(db: Kysely<Tables>, query: ConsumerQuery): Promise<readonly ConsumerSummary[]> {
  const { scope, reference = null, team = null, credentialId = null, after = "", limit } = query;
  const [first = "", second] = reference?.split("/") ?? [];
  const { rows } = await sql<ConsumerSummary>`
    SELECT n.id, t.name AS team, t.contact, n.name, ct.name || '/' || c.name AS credential, c.id AS "credentialId",
      e.name AS environment, n.kind, n.config, n.target, n.held_version AS "heldVersion",
      c.current_version AS "currentVersion", n.evidence, c.policy,
      ${ownsConsumer(scope)} AS "isOwn", ${ownsCredential(scope)} AS "isCredentialOwn",
      coalesce((
        SELECT jsonb_agg(jsonb_build_object('source', v.source, 'strength', v.strength, 'version', v.version,
          'complete', v.complete, 'instances', v.instances, 'lacks', ${seenLacks(scope)}, 'at', v.at) ORDER BY v.sequence DESC)
        FROM (SELECT DISTINCT ON (source) * FROM evidence WHERE consumer_id = n.id ORDER BY source, sequence DESC) v
      ), '[]'::jsonb) AS seen
    FROM consumers n JOIN teams t ON t.id = n.team_id JOIN credentials c ON c.id = n.credential_id
    JOIN teams ct ON ct.id = c.team_id JOIN environments e ON e.id = c.environment_id
    WHERE n.retired_at IS NULL AND n.id > ${after} AND ${seesConsumer(scope)}
      AND (${team}::text IS NULL OR t.name = ${team})
      AND (${credentialId}::text IS NULL OR c.id = ${credentialId})
      AND (${reference}::text IS NULL OR n.id = ${reference}
        OR (n.name = ${second ?? first} AND (${second ?? null}::text IS NULL OR t.name = ${first})))
    ORDER BY n.id LIMIT ${limit}`.execute(db);
  return rows.map((row) => ({ ...row, policy: effectivePolicy(row.policy) }));
}
