import { sql, type Kysely } from "kysely";
import { isCheckDue } from "./checks.ts";
import { awaitedSince } from "./far-looks.ts";
import type { Tables } from "./tables.ts";

/** What the dispatcher has to bring to the orchestrator. Ids only. */
export interface Dispatches {
  /** Rotations that no workflow carries yet. */
  readonly starts: readonly string[];
  /** Of all these rotations those that hurry. */
  readonly urgent: readonly string[];
  /** Those that hurry and began as routine work: their carrier may wait behind such work until nobody cares any more. */
  readonly strolling: readonly string[];
  /** Open rotations of which no step has read the ledger for too long: their carrier may be gone. */
  readonly silent: readonly string[];
  /** Rotations with a command that no step has consumed. */
  readonly unheard: readonly string[];
  /** Those for which a window or a freeze has changed. */
  readonly woken: readonly string[];
  /** Checks that nobody has run yet, or whose secret is still there. */
  readonly checks: readonly string[];
}

/** Reads all of it in one statement, so that asking often costs little. */
export async function readDispatches(
  db: Kysely<Tables>,
  limits: { readonly silentMs: number; readonly atMost: number },
): Promise<Dispatches> {
  const { rows } = await sql<Dispatches>`
    SELECT
      ARRAY(SELECT s.rotation_id FROM starts s JOIN rotations r ON r.id = s.rotation_id
        ORDER BY r.urgent DESC, s.created_at LIMIT ${limits.atMost}) AS starts,
      ARRAY(SELECT id FROM rotations WHERE outcome IS NULL AND urgent) AS urgent,
      -- One that nobody has carried yet was begun as urgent, unless somebody has to be told that it has become so.
      ARRAY(SELECT id FROM rotations r WHERE outcome IS NULL AND urgent AND NOT carrier_urgent
        AND (carrier_workflow IS NOT NULL
          OR EXISTS (SELECT FROM commands c WHERE c.rotation_id = r.id AND c.state = 'pending'))) AS strolling,
      ARRAY(
        SELECT id FROM rotations
        WHERE outcome IS NULL AND (${awaitedSince} < clock_timestamp() - ${limits.silentMs} * interval '1 millisecond'
          -- from before the clock was set back
          OR looked_at > clock_timestamp())
        ORDER BY looked_at LIMIT ${limits.atMost}) AS silent,
      ARRAY(SELECT DISTINCT rotation_id FROM commands WHERE state = 'pending' LIMIT ${limits.atMost}) AS unheard,
      ARRAY(SELECT id FROM rotations WHERE wakes AND outcome IS NULL ORDER BY random() LIMIT ${limits.atMost}) AS woken,
      ARRAY(SELECT id FROM checks WHERE ${isCheckDue} ORDER BY at LIMIT ${limits.atMost}) AS checks`.execute(db);
  return rows[0] ?? { starts: [], urgent: [], strolling: [], silent: [], unheard: [], woken: [], checks: [] };
}
