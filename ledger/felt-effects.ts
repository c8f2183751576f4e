import { sql, type Kysely, type RawBuilder } from "kysely";
import { allowedFrom, neverMeet, obstaclesAt, type Obstacle, type Restrictions } from "../calendar/allowed.ts";
import { effectivePolicy, type GivenPolicy } from "../domain/policy.ts";
import type { Freeze } from "../domain/routine.ts";
import { recordEvents } from "./audit.ts";
import { freezesOf, nowMs } from "./freezes.ts";
import type { Tables } from "./tables.ts";

interface Row {
  readonly id: string;
  readonly pinned: GivenPolicy;
  readonly current: GivenPolicy;
  readonly freezes: readonly Freeze[];
  readonly nowMs: number;
}

export interface FeltWait {
  /** Until it may go on, as far as is known now. */
  readonly waitMs: number;
  readonly obstacles: readonly Obstacle[];
  /** Its window of when it was reserved and the one of today are never open together. */
  readonly isNever: boolean;
}

/** Further than this nobody looks: it is asked again long before. Milliseconds. */
const farMs = 24 * 3_600_000;

/**
 * What keeps rotations from effects that their consumers can feel, keyed by rotation; one that nothing keeps is left out,
 * and so is one that is urgent. Windows of the policy as it was reserved count beside those of today.
 */
export function readFeltWaits(
  db: Kysely<Tables>,
  rotationIds: readonly string[],
): Promise<ReadonlyMap<string, FeltWait>> {
  return readWaits(db, sql`r.id = ANY(${[...rotationIds]}) AND NOT r.urgent`);
}

/** What would keep them, if they were not urgent. */
export function readObstacles(
  db: Kysely<Tables>,
  rotationIds: readonly string[],
): Promise<ReadonlyMap<string, FeltWait>> {
  return readWaits(db, sql`r.id = ANY(${[...rotationIds]})`);
}

async function readWaits(db: Kysely<Tables>, which: RawBuilder<unknown>): Promise<ReadonlyMap<string, FeltWait>> {
  const { rows } = await sql<Row>`
    SELECT r.id, r.policy AS pinned, c.policy AS current, ${freezesOf} AS freezes, ${nowMs} AS "nowMs"
    FROM rotations r JOIN credentials c ON c.id = r.credential_id
    WHERE ${which}`.execute(db);
  return new Map(
    rows.flatMap((row) => {
      const restrictions = restrictionsOf(row);
      const obstacles = obstaclesAt(restrictions, row.nowMs);
      if (obstacles.length === 0) return [];
      const allowedMs = allowedFrom(restrictions, row.nowMs);
      const isNever = allowedMs === undefined && neverMeet(restrictions.windows, row.nowMs);
      return [[row.id, { waitMs: (allowedMs ?? row.nowMs + farMs) - row.nowMs, obstacles, isNever }] as const];
    }),
  );
}

/** What binds a rotation that was reserved by one policy and is ruled by another today. */
export function restrictionsOf({ pinned, current, freezes }: Omit<Row, "id" | "nowMs">): Restrictions {
  const { windows, pause } = effectivePolicy(current);
  const reserved = effectivePolicy(pinned).windows;
  return { windows: [windows, reserved].filter((one) => one !== undefined), freezes, pause };
}

/** A rotation that is open and not urgent, and by which policy it was reserved. */
export async function readOpenPinned(
  db: Kysely<Tables>,
  credentialId: string,
): Promise<{ readonly id: string; readonly pinned: GivenPolicy; readonly nowMs: number } | undefined> {
  const { rows } = await sql<{ id: string; pinned: GivenPolicy; nowMs: number }>`
    SELECT id, policy AS pinned, ${nowMs} AS "nowMs" FROM rotations
    WHERE credential_id = ${credentialId} AND outcome IS NULL AND NOT urgent`.execute(db);
  return rows[0];
}

/** Waiting for a window is no waiting for evidence: what is asked for over a time is asked for anew once it is over. */
export async function askAnew(db: Kysely<Tables>, rotationIds: readonly string[]): Promise<void> {
  await sql`UPDATE rotations SET asked_since = clock_timestamp() WHERE id = ANY(${[...rotationIds]})`.execute(db);
}

/**
 * What was drained and could not be disabled at once is drained again, its grace aside: who came meanwhile has to be seen
 * before they are refused.
 */
export async function drainAgain(db: Kysely<Tables>, rotationIds: readonly string[]): Promise<void> {
  const { rows } = await sql<{ id: string; credential_id: string }>`
    UPDATE rotations SET phase = 'promoted', phase_since = created_at, asked_since = clock_timestamp()
    WHERE id = ANY(${[...rotationIds]}) AND phase = 'drained' AND rotation_order = 'overlap' AND direction = 'forward'
      AND outcome IS NULL RETURNING id, credential_id`.execute(db);
  await recordEvents(
    db,
    rows.map((row) => ({
      ...{ credentialId: row.credential_id, rotationId: row.id },
      ...{ actor: "system:worker", action: "rotation.draining-again" },
    })),
  );
}
