import { sql, type Kysely, type Transaction } from "kysely";
import { courseOf, isEnding, type Course, type Demand } from "../domain/emergency.ts";
import { containing, type Order } from "../domain/order.ts";
import { recordEvents, type AuditEvent } from "./audit.ts";
import { answerHold, openHolds } from "./holds.ts";
import { newId } from "./new-id.ts";
import { outdateOpenOperations } from "./operations.ts";
import { overrode, readOverridden } from "./overridden.ts";
import { reserveIn } from "./reserve-rotations.ts";
import { readRunning, type RunningRotation } from "./running-rotations.ts";
import type { Tables } from "./tables.ts";

interface DemandRow {
  readonly id: string;
  readonly credential_id: string;
  readonly versions: readonly number[];
  /** Of its versions those that are not dead. */
  readonly alive: readonly number[];
  readonly contain: boolean;
  readonly is_past: boolean;
  readonly is_overdue: boolean;
  readonly at_deadline: "contain" | "hold";
  readonly rotation_id: string | null;
  readonly requested_by: string;
  readonly reason: string;
  readonly is_unproven: boolean;
}

export interface Settled {
  readonly credentialId: string;
  /** What became of the rotation that ran; `reserved` when there was none, `met` when all is dead, `refused` when none could begin. */
  readonly how: Course["how"] | "reserved" | "met" | "refused";
  readonly rotationId?: string | undefined;
  /** Why none could begin, and what to do first. */
  readonly refusal?: string | undefined;
}

/**
 * Brings rotations in step with the emergencies of their credentials: closes what is met, reserves what can begin, turns
 * what runs. Called where an emergency is declared, by the transaction that ends a rotation, and at each deadline; doing
 * it again changes nothing. Ask with the credentials' rows locked. `fresh` is the emergency that is being declared.
 */
export async function settleEmergencies(
  trx: Kysely<Tables>,
  credentialIds: readonly string[],
  fresh?: string,
): Promise<readonly Settled[]> {
  if (credentialIds.length === 0) return [];
  const open = await readOpen(trx, credentialIds);
  const met = open.filter(({ alive }) => alive.length === 0);
  await closeMet(trx, met);
  const left = Map.groupBy(
    open.filter(({ alive }) => alive.length > 0),
    (row) => row.credential_id,
  );
  const settled: Settled[] = met
    .filter(({ credential_id: id }) => !left.has(id))
    .map(({ credential_id: credentialId }) => ({ credentialId, how: "met" }));
  if (left.size === 0) return settled;
  const running = await readRunning(trx, [...left.keys()]);
  const events: AuditEvent[] = [];
  for (const [credentialId, demands] of left) {
    const demand = await merged(trx, demands);
    const found = running.get(credentialId);
    if (found === undefined) settled.push(await reserveOne(trx, { credentialId, demands, demand }, events));
    else settled.push(await steer(trx, { credentialId, demands, demand, found, fresh }, events));
  }
  await recordEvents(trx, events);
  return settled;
}

async function readOpen(trx: Kysely<Tables>, credentialIds: readonly string[]): Promise<readonly DemandRow[]> {
  const { rows } = await sql<DemandRow>`
    SELECT e.id, e.credential_id, e.versions, e.contain, e.deadline <= clock_timestamp() AS is_past, e.is_overdue,
      e.at_deadline, e.rotation_id, e.requested_by, e.reason,
      ARRAY(SELECT v.number FROM versions v WHERE v.credential_id = e.credential_id AND v.number = ANY(e.versions)
        AND v.state NOT IN ('proven-dead', 'accepted-unproven')
        -- one that no rotation makes any more was never made
        AND (v.state <> 'intended' OR EXISTS (SELECT FROM rotations r
          WHERE r.credential_id = e.credential_id AND r.to_version = v.number AND r.outcome IS NULL))
        ORDER BY 1) AS alive,
      EXISTS (SELECT FROM versions v WHERE v.credential_id = e.credential_id AND v.number = ANY(e.versions)
        AND v.state = 'accepted-unproven') AS is_unproven
    FROM emergencies e WHERE e.credential_id = ANY(${[...credentialIds]}) AND e.outcome IS NULL
    ORDER BY e.created_at, e.id`.execute(trx);
  return rows;
}

async function closeMet(trx: Kysely<Tables>, met: readonly DemandRow[]): Promise<void> {
  if (met.length === 0) return;
  const given = met.map((row) => ({ id: row.id, outcome: row.is_unproven ? "unproven" : "proven" }));
  await sql`
    UPDATE emergencies e SET outcome = g.outcome, closed_at = clock_timestamp()
    FROM jsonb_to_recordset(${JSON.stringify(given)}::jsonb) AS g (id text, outcome text)
    WHERE e.id = g.id`.execute(trx);
  await recordEvents(
    trx,
    met.map((row) => ({
      credentialId: row.credential_id,
      rotationId: row.rotation_id ?? undefined,
      actor: "system:ledger",
      action: "emergency.closed",
      details: { emergency: row.id, versions: row.versions, outcome: row.is_unproven ? "unproven" : "proven" },
    })),
  );
}

/** What all of them together ask for. Whose time is over contains from then on, where that was chosen. */
async function merged(trx: Kysely<Tables>, demands: readonly DemandRow[]): Promise<Demand> {
  const turned = demands.filter((row) => row.is_past && !row.contain && row.at_deadline === "contain");
  if (turned.length > 0) {
    const ids = turned.map(({ id }) => id);
    await sql`UPDATE emergencies SET contain = true, is_overdue = true WHERE id = ANY(${ids})`.execute(trx);
    await recordEvents(
      trx,
      turned.map((row) => ({
        credentialId: row.credential_id,
        rotationId: row.rotation_id ?? undefined,
        actor: "system:ledger",
        action: "emergency.contained",
        details: { emergency: row.id, versions: row.alive, why: "its time is over" },
      })),
    );
  }
  return {
    versions: [...new Set(demands.flatMap(({ versions }) => versions))],
    contain: turned.length > 0 || demands.some(({ contain }) => contain),
  };
}

interface Wanted {
  readonly credentialId: string;
  readonly demands: readonly DemandRow[];
  readonly demand: Demand;
}

async function reserveOne(
  trx: Kysely<Tables>,
  { credentialId, demands, demand }: Wanted,
  events: AuditEvent[],
): Promise<Settled> {
  const [first] = demands;
  const reason = demands.map((each) => each.reason).join("; ");
  const request = { credentialId, requestedBy: first?.requested_by ?? "system:ledger", reason };
  const { reserved, refused } = await reserveIn(trx as Transaction<Tables>, [request]);
  const ids = demands.map(({ id }) => id);
  const rotationId = reserved[0]?.rotationId;
  if (rotationId === undefined) {
    await sql`UPDATE emergencies SET refused_code = ${refused[0]?.code ?? "not_found"} WHERE id = ANY(${ids})`.execute(
      trx,
    );
    return { credentialId, how: "refused", refusal: refused[0]?.detail };
  }
  const { rows } = await sql<{ rotation_order: Order }>`
    SELECT rotation_order FROM rotations WHERE id = ${rotationId}`.execute(trx);
  const order = rows[0]?.rotation_order ?? "overlap";
  const overridden = await readOverridden(trx, { credentialId, rotationId, isNew: true });
  events.push(...overrode({ credentialId, rotationId, by: lastOf(demands) }, overridden));
  await sql`
    UPDATE rotations SET urgent = true, rotation_order = ${demand.contain ? containing(order) : order}
    WHERE id = ${rotationId}`.execute(trx);
  await sql`UPDATE emergencies SET rotation_id = ${rotationId}, refused_code = NULL WHERE id = ANY(${ids})`.execute(
    trx,
  );
  await recordEvents(
    trx,
    demands.map((row) => ({
      credentialId,
      rotationId,
      actor: row.requested_by,
      action: "emergency.carried",
      details: { emergency: row.id, versions: row.alive, contain: demand.contain },
    })),
  );
  return { credentialId, how: "reserved", rotationId };
}

const lastOf = (demands: readonly DemandRow[]) => {
  const last = demands.at(-1);
  return { emergencyId: last?.id, actor: last?.requested_by };
};

interface Steered extends Wanted {
  readonly found: RunningRotation;
  readonly fresh: string | undefined;
}

async function steer(
  trx: Kysely<Tables>,
  { credentialId, demands, demand, found, fresh }: Steered,
  events: AuditEvent[],
): Promise<Settled> {
  const { rotationId } = found;
  const course = courseOf(demand, found);
  const isTurned = course.order !== found.order || course.phase !== found.phase || course.direction !== found.direction;
  const carried = course.how === "successor" ? null : rotationId;
  const ids = demands.map(({ id }) => id);
  const isNew = demands.filter((row) => row.rotation_id !== carried || row.id === fresh);
  await sql`
    UPDATE emergencies SET rotation_id = ${carried}, refused_code = NULL WHERE id = ANY(${ids})`.execute(trx);
  await holdOverdue(trx, { rotationId, demands, course });
  if (!isTurned && found.urgent && !found.paused && isNew.length === 0)
    return { credentialId, how: course.how, rotationId };
  const { paused } = found;
  // Another emergency is no answer to whether somebody is cut off because of the first; to contain is.
  const isAnswered = found.holdCode !== "emergency_overdue" || demand.contain;
  const held = isAnswered ? (found.holdCode ?? undefined) : undefined;
  events.push(
    ...overrode(
      { credentialId, rotationId, by: lastOf(demands) },
      await readOverridden(trx, { credentialId, rotationId, paused, held }),
    ),
  );
  await sql`
    UPDATE rotations SET urgent = true, paused = false, rotation_order = ${course.order}, phase = ${course.phase},
      direction = ${course.direction}, wait_until = NULL, attempts = 0,
      phase_since = CASE WHEN ${isTurned} THEN clock_timestamp() ELSE phase_since END,
      asked_since = CASE WHEN ${isTurned} THEN clock_timestamp() ELSE asked_since END,
      -- what was accepted going one way says nothing of the other
      accepted_unproven = accepted_unproven AND direction = ${course.direction}
    WHERE id = ${rotationId}`.execute(trx);
  if (isTurned) await outdateOpenOperations(trx, [rotationId]);
  const [by] = demands.toReversed();
  if (found.holdId !== null && isAnswered)
    await answerHold(trx, {
      ...{ holdId: found.holdId, decision: "retry", reason: "emergency" },
      decidedBy: by?.requested_by ?? "system:ledger",
    });
  await wake(trx, rotationId, by);
  events.push(
    ...isNew.map((row) => ({
      credentialId,
      rotationId,
      actor: row.requested_by,
      action: `emergency.${verbs[course.how]}`,
      details: { emergency: row.id, order: course.order, phase: course.phase, direction: course.direction },
    })),
  );
  return { credentialId, how: course.how, rotationId };
}

const verbs = {
  join: "joined",
  upgrade: "upgraded",
  "turn-forward": "turned-forward",
  successor: "waits",
} as const satisfies Record<Course["how"], string>;

/** A command that says no more than to look now: the dispatcher tells of it until a step has heard it. */
async function wake(trx: Kysely<Tables>, rotationId: string, by: DemandRow | undefined): Promise<void> {
  await sql`
    INSERT INTO commands (id, rotation_id, kind, arguments, actor)
    VALUES (${newId("command")}, ${rotationId}, 'emergency', ${JSON.stringify({ emergencyId: by?.id })}::jsonb,
      ${by?.requested_by ?? "system:ledger"})`.execute(trx);
}

interface Overdue {
  readonly rotationId: string;
  readonly demands: readonly DemandRow[];
  readonly course: Course;
}

/**
 * Where a person was to be asked once the time is over. One who is asked something else already is asked this after it;
 * what is being ended by then goes on, since a hold would keep that up and has nothing to offer.
 */
async function holdOverdue(trx: Kysely<Tables>, { rotationId, demands, course }: Overdue): Promise<void> {
  const late = demands.filter((row) => row.is_past && !row.is_overdue && !row.contain && row.at_deadline === "hold");
  if (late.length === 0) return;
  if (course.direction === "undo" || !isEnding(course.order, course.phase)) {
    const numbers = [...new Set(late.flatMap(({ alive }) => alive))].toSorted((a, b) => a - b).join(", ");
    const detail = `The time of the emergency is over, and version ${numbers} is not dead. \`accept\` ends it now, whoever breaks; \`retry\` goes on waiting for the consumers.`;
    const opened = await openHolds(trx, [{ rotationId, code: "emergency_overdue", detail, gaps: [] }]);
    if (opened.length === 0) return;
  }
  const ids = late.map(({ id }) => id);
  await sql`UPDATE emergencies SET is_overdue = true WHERE id = ANY(${ids})`.execute(trx);
}
