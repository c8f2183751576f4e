import { sql, type Kysely } from "kysely";
import type { Obstacle } from "../calendar/allowed.ts";
import type { Obstruction } from "../domain/emergency.ts";
import { recordEvents, type AuditEvent } from "./audit.ts";
import { readFeltWaits, readObstacles } from "./felt-effects.ts";
import { mostFailures } from "./sweep-due.ts";
import type { Tables } from "./tables.ts";

/** What would have kept a routine rotation, and does not keep an emergency: a closed vocabulary, and what it says. */
export interface Overridden {
  readonly what: Obstruction;
  /** In the words of whoever declared it; of a hold its code. */
  readonly why?: string | undefined;
  /** ISO 8601. */
  readonly until?: string | undefined;
}

interface Row {
  readonly not_before: Date | null;
  readonly failures: number;
}

/**
 * What stands in the way of a rotation as routine work. Ask before it becomes urgent: nothing does afterwards. `held` is
 * the code of its open hold.
 */
export async function readOverridden(
  trx: Kysely<Tables>,
  of: {
    readonly credentialId: string;
    readonly rotationId: string;
    readonly paused?: boolean;
    readonly held?: string | undefined;
    /** Absent: it ran already, so that nothing of when it may begin matters. */
    readonly isNew?: boolean;
  },
): Promise<readonly Overridden[]> {
  const felt = (await readFeltWaits(trx, [of.rotationId])).get(of.rotationId)?.obstacles ?? [];
  return [
    ...felt.map(asOverridden),
    ...(of.paused === true ? [{ what: "pause" } as const] : []),
    ...(of.held === undefined ? [] : [{ what: "hold", why: of.held } as const]),
    ...(of.isNew === true ? await readBackOff(trx, of.credentialId) : []),
  ];
}

function asOverridden(one: Obstacle): Overridden {
  const until = Number.isFinite(one.untilMs) ? new Date(one.untilMs).toISOString() : undefined;
  if (one.kind === "window") return { what: "window", until };
  return { what: one.kind === "pause" ? "policy-pause" : "freeze", why: one.reason, until };
}

interface Overriding {
  readonly credentialId: string;
  readonly rotationId: string;
  /** The last emergency that asks for it. */
  readonly by: { readonly emergencyId: string | undefined; readonly actor: string | undefined };
}

/** Each thing that would have kept routine work and does not keep this, so that nobody has to guess later. */
export function overrode(
  { credentialId, rotationId, by }: Overriding,
  overridden: readonly Overridden[],
): readonly AuditEvent[] {
  return overridden.map(({ what, why, until }) => ({
    ...{ credentialId, rotationId, actor: by.actor ?? "system:ledger", action: "emergency.overrode" },
    details: { emergency: by.emergencyId, what, why, until },
  }));
}

interface UrgentRow {
  readonly id: string;
  readonly credential_id: string;
  readonly emergency_id: string;
  readonly requested_by: string;
  /** What is on record already, as `keyOf`. */
  readonly told: readonly (readonly (string | null)[])[];
}

const keyOf = ({ what, why, until }: Overridden): string => JSON.stringify([what, why ?? null, until ?? null]);

/**
 * What began to stand in the way since the emergency was declared: a freeze of this minute, a window that has shut. Recorded
 * by the step that is about to act in spite of it, each once for a rotation. Ask of those alone that are urgent, with
 * their credentials' rows locked.
 */
export async function noteOverridden(trx: Kysely<Tables>, rotationIds: readonly string[]): Promise<void> {
  if (rotationIds.length === 0) return;
  const { rows } = await sql<UrgentRow>`
    SELECT r.id, r.credential_id, e.id AS emergency_id, e.requested_by, coalesce((
      SELECT jsonb_agg(jsonb_build_array(a.details ->> 'what', a.details ->> 'why', a.details ->> 'until'))
      FROM audit a WHERE a.rotation_id = r.id AND a.action = 'emergency.overrode'), '[]'::jsonb) AS told
    FROM rotations r CROSS JOIN LATERAL (
      SELECT id, requested_by FROM emergencies e
      WHERE e.credential_id = r.credential_id AND (e.rotation_id = r.id OR e.outcome IS NULL)
      ORDER BY e.created_at DESC, e.id DESC LIMIT 1) e
    WHERE r.id = ANY(${[...rotationIds]})`.execute(trx);
  const obstacles = await readObstacles(
    trx,
    rows.map(({ id }) => id),
  );
  await recordEvents(
    trx,
    rows.flatMap((row) => {
      const told = new Set(row.told.map((one) => JSON.stringify(one)));
      const fresh = (obstacles.get(row.id)?.obstacles ?? []).map(asOverridden).filter((one) => !told.has(keyOf(one)));
      const by = { emergencyId: row.emergency_id, actor: row.requested_by };
      return overrode({ credentialId: row.credential_id, rotationId: row.id, by }, fresh);
    }),
  );
}

async function readBackOff(trx: Kysely<Tables>, credentialId: string): Promise<readonly Overridden[]> {
  const { rows } = await sql<Row>`
    SELECT CASE WHEN not_before > clock_timestamp() THEN not_before END AS not_before, failures
    FROM credentials WHERE id = ${credentialId}`.execute(trx);
  const [row] = rows;
  if (row === undefined) return [];
  if (row.failures >= mostFailures) return [{ what: "given-up" }];
  return row.not_before === null ? [] : [{ what: "back-off", until: row.not_before.toISOString() }];
}
