import { sql, type Kysely } from "kysely";
import type { Code } from "../domain/errors.ts";
import type { Obstruction } from "../domain/emergency.ts";
import { effectivePolicy, type GivenPolicy, type Policy } from "../domain/policy.ts";
import { exactTime } from "./audit-chain.ts";
import type { Tables } from "./tables.ts";

/** A consumer that may be the leak. Times are UTC with microseconds. */
export interface Suspect {
  /** `team/name` */
  readonly ref: string;
  readonly releasedAt: string | null;
  readonly releasedBy: string | null;
  /** Why it was released. */
  readonly reason: string | null;
}

/** Something that would have kept routine work, and when it was passed over. */
export interface PassedOver {
  readonly what: Obstruction;
  /** In the words of whoever declared it; of a hold its code. */
  readonly why: string | null;
  readonly until: string | null;
  readonly at: string;
}

/** An emergency as people see it. */
export interface EmergencyView {
  readonly id: string;
  readonly credential: string;
  readonly environment: string;
  readonly versions: readonly number[];
  readonly requestedBy: string;
  readonly reason: string;
  readonly contain: boolean;
  readonly deadline: Date;
  readonly atDeadline: string;
  readonly isOverdue: boolean;
  /** The rotation that makes the clean version, or, before that, the one that runs. */
  readonly rotationId: string | null;
  /** Why none could begin. */
  readonly refusedCode: string | null;
  readonly outcome: string | null;
  readonly createdAt: Date;
  readonly closedAt: Date | null;
  /** Why its rotation does not get on: what failed last and is tried again, or what a person is asked. */
  readonly trouble: EmergencyTrouble | null;
  readonly suspects: readonly Suspect[];
  readonly overridden: readonly PassedOver[];
}

export interface EmergencyTrouble {
  readonly code: Code;
  /** In a row. */
  readonly attempts: number;
  readonly isHeld: boolean;
}

/** Those of emergency `e`. */
export const suspectsOf = sql`coalesce((
  SELECT jsonb_agg(jsonb_build_object('ref', st.name || '/' || sn.name, 'releasedAt', ${exactTime("s.released_at")},
    'releasedBy', s.released_by, 'reason', s.reason) ORDER BY st.name, sn.name)
  FROM suspicions s JOIN consumers sn ON sn.id = s.consumer_id JOIN teams st ON st.id = sn.team_id
  WHERE s.emergency_id = e.id), '[]'::jsonb)`;

const overriddenOf = sql`coalesce((
  SELECT jsonb_agg(jsonb_build_object('what', a.details ->> 'what', 'why', a.details ->> 'why',
    'until', a.details ->> 'until', 'at', ${exactTime("a.at")}) ORDER BY a.id)
  FROM audit a WHERE a.credential_id = e.credential_id AND a.action = 'emergency.overrode'
    AND a.details ->> 'emergency' = e.id), '[]'::jsonb)`;

const troubleOf = sql`(
  SELECT jsonb_build_object('code', coalesce(h.code, o.last_code), 'attempts', o.attempts, 'isHeld', h.id IS NOT NULL)
  FROM rotations o LEFT JOIN holds h ON h.rotation_id = o.id AND h.decided_at IS NULL
  WHERE o.credential_id = e.credential_id AND o.outcome IS NULL AND e.outcome IS NULL
    AND (h.id IS NOT NULL OR (o.attempts > 0 AND o.last_code IS NOT NULL)))`;

const columns = sql`e.id, t.name || '/' || c.name AS credential, v.name AS environment, e.versions,
  e.requested_by AS "requestedBy", e.reason, e.contain, e.deadline, e.at_deadline AS "atDeadline",
  e.is_overdue AS "isOverdue", coalesce(e.rotation_id, (
    SELECT r.id FROM rotations r WHERE r.credential_id = e.credential_id AND r.outcome IS NULL AND e.outcome IS NULL
  )) AS "rotationId", e.refused_code AS "refusedCode", e.outcome, e.created_at AS "createdAt", e.closed_at AS "closedAt",
  ${troubleOf} AS trouble, ${suspectsOf} AS suspects, ${overriddenOf} AS overridden`;
const joins = sql`JOIN credentials c ON c.id = e.credential_id JOIN teams t ON t.id = c.team_id
  JOIN environments v ON v.id = c.environment_id`;

/** Emergencies, the newest first. */
export async function listEmergencies(
  db: Kysely<Tables>,
  { onlyOpen, limit }: { readonly onlyOpen: boolean; readonly limit: number },
): Promise<readonly EmergencyView[]> {
  const { rows } = await sql<EmergencyView>`
    SELECT ${columns} FROM emergencies e ${joins}
    WHERE NOT ${onlyOpen} OR e.outcome IS NULL ORDER BY e.created_at DESC, e.id DESC LIMIT ${limit}`.execute(db);
  return rows;
}

/** Those that a rotation carries, or that wait for it to end. */
export async function emergenciesOf(db: Kysely<Tables>, rotationId: string): Promise<readonly EmergencyView[]> {
  const { rows } = await sql<EmergencyView>`
    SELECT ${columns} FROM emergencies e ${joins} JOIN rotations r ON r.credential_id = e.credential_id
    WHERE r.id = ${rotationId} AND (e.rotation_id = r.id OR (r.outcome IS NULL AND e.outcome IS NULL))
    ORDER BY e.created_at`.execute(db);
  return rows;
}

/** Who runs on a credential, as somebody who is about to end a version has to know. */
export interface Exposed {
  readonly id: string;
  readonly ref: string;
  readonly team: string;
  readonly contact: string;
  readonly target: string;
  readonly heldVersion: number | null;
}

export interface ExposedCredential {
  readonly credential: string;
  readonly environment: string;
  readonly policy: Policy;
  readonly consumers: readonly Exposed[];
  /** Versions whose end was accepted without proof, and which registered consumers hold them (`team/name`). */
  readonly older: readonly { readonly version: number; readonly heldBy: readonly string[] }[];
}

/** A credential and its consumers; undefined when there is none, or none any more. */
export async function readExposed(db: Kysely<Tables>, credentialId: string): Promise<ExposedCredential | undefined> {
  const { rows } = await sql<Omit<ExposedCredential, "policy"> & { readonly policy: GivenPolicy }>`
    SELECT t.name || '/' || c.name AS credential, v.name AS environment, c.policy, coalesce((
      SELECT jsonb_agg(jsonb_build_object('id', n.id, 'ref', nt.name || '/' || n.name, 'team', nt.name,
        'contact', nt.contact, 'target', n.target, 'heldVersion', n.held_version) ORDER BY nt.name, n.name)
      FROM consumers n JOIN teams nt ON nt.id = n.team_id
      WHERE n.credential_id = c.id AND n.retired_at IS NULL), '[]'::jsonb) AS consumers, coalesce((
      SELECT jsonb_agg(jsonb_build_object('version', o.number, 'heldBy', ARRAY(
        SELECT nt.name || '/' || n.name FROM consumers n JOIN teams nt ON nt.id = n.team_id
        WHERE n.credential_id = c.id AND n.retired_at IS NULL AND n.held_version = o.number ORDER BY 1)) ORDER BY o.number)
      FROM versions o WHERE o.credential_id = c.id AND o.state = 'accepted-unproven' AND o.handle IS NOT NULL
        AND c.rotation_order = 'overlap'),
      '[]'::jsonb) AS older
    FROM credentials c JOIN teams t ON t.id = c.team_id JOIN environments v ON v.id = c.environment_id
    WHERE c.id = ${credentialId} AND c.retired_at IS NULL`.execute(db);
  const [row] = rows;
  return row === undefined ? undefined : { ...row, policy: effectivePolicy(row.policy) };
}
