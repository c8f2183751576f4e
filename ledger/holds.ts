import { sql, type Kysely } from "kysely";
import type { Gap } from "../domain/guard.ts";
import type { Code } from "../domain/errors.ts";
import type { Decision } from "../domain/hold.ts";
import { recordEvents } from "./audit.ts";
import { transact, type Ledger } from "./database.ts";
import type { Tables } from "./tables.ts";
import { newId } from "./new-id.ts";

export interface HoldRequest {
  readonly rotationId: string;
  readonly code: Code;
  /** For a person; says what was found and what to do. */
  readonly detail: string;
  readonly gaps: readonly Gap[];
}

export interface Hold {
  readonly holdId: string;
  readonly rotationId: string;
  /** From 1 within the rotation; people name a hold by it. */
  readonly number: number;
  readonly phase: string;
  readonly code: Code;
  readonly detail: string;
  readonly gaps: readonly Gap[];
  readonly openedAt: Date;
}

interface HoldRow {
  readonly id: string;
  readonly rotation_id: string;
  readonly credential_id: string;
  readonly number: number;
  readonly phase: string;
  readonly code: Code;
  readonly detail: string;
  readonly gaps: readonly Gap[];
  readonly opened_at: Date;
}

const columns = ["id", "rotation_id", "number", "phase", "code", "detail", "gaps", "opened_at"];
/** By name: statements are prepared, and a column that a migration adds would change what they answer. */
const columnsOf = (table: string) => sql.raw(columns.map((column) => `${table}.${column}`).join(", "));

/**
 * Opens a numbered hold on each rotation that has none open; one that has keeps it as it is, so that the decision a
 * person is about to give still names what they have read.
 */
export async function openHolds(trx: Kysely<Tables>, requests: readonly HoldRequest[]): Promise<readonly Hold[]> {
  const given = JSON.stringify(requests.map((request) => ({ ...request, id: newId("hold") })));
  await sql`
    SELECT r.id FROM rotations r
    WHERE r.id = ANY(${requests.map(({ rotationId }) => rotationId)}) ORDER BY r.id FOR UPDATE`.execute(trx);
  const { rows } = await sql<HoldRow>`
    WITH stored AS (
      INSERT INTO holds (id, rotation_id, number, phase, direction, code, detail, gaps)
      SELECT g.id, r.id, 1 + (SELECT count(*) FROM holds h WHERE h.rotation_id = r.id), r.phase, r.direction, g.code, g.detail, g.gaps
      FROM jsonb_to_recordset(${given}::jsonb) AS g (id text, "rotationId" text, code text, detail text, gaps jsonb)
      JOIN rotations r ON r.id = g."rotationId" AND r.outcome IS NULL
      ON CONFLICT (rotation_id) WHERE decided_at IS NULL DO NOTHING
      RETURNING ${columnsOf("holds")}
    )
    SELECT ${columnsOf("s")}, r.credential_id FROM stored s JOIN rotations r ON r.id = s.rotation_id`.execute(trx);
  await recordEvents(
    trx,
    rows.map((row) => ({
      credentialId: row.credential_id,
      rotationId: row.rotation_id,
      actor: "system:worker",
      action: "hold.opened",
      details: { number: row.number, phase: row.phase, code: row.code, gaps: row.gaps.map(({ key }) => key) },
    })),
  );
  return rows.map(asHold);
}

/** The open holds of these rotations, keyed by rotation. */
export async function readOpenHolds(
  db: Kysely<Tables>,
  rotationIds: readonly string[],
): Promise<ReadonlyMap<string, Hold>> {
  const { rows } = await sql<HoldRow>`
    SELECT ${columnsOf("h")}, r.credential_id FROM holds h JOIN rotations r ON r.id = h.rotation_id
    WHERE h.rotation_id = ANY(${[...rotationIds]}) AND h.decided_at IS NULL`.execute(db);
  return new Map(rows.map((row) => [row.rotation_id, asHold(row)]));
}

export interface HoldAnswer {
  readonly holdId: string;
  readonly decision: Decision;
  readonly decidedBy: string;
  readonly reason: string;
}

/** Stores a person's answer. False when the hold was answered before: the first answer stands. */
export async function answerHold(trx: Kysely<Tables>, answer: HoldAnswer): Promise<boolean> {
  const { rows } = await sql<HoldRow>`
    UPDATE holds h SET decision = ${answer.decision}, decided_by = ${answer.decidedBy}, reason = ${answer.reason},
      decided_at = clock_timestamp()
    FROM rotations r
    WHERE r.id = h.rotation_id AND h.id = ${answer.holdId} AND h.decided_at IS NULL
    RETURNING ${columnsOf("h")}, r.credential_id`.execute(trx);
  await recordEvents(
    trx,
    rows.map((row) => ({
      credentialId: row.credential_id,
      rotationId: row.rotation_id,
      actor: answer.decidedBy,
      action: "hold.answered",
      details: {
        number: row.number,
        decision: answer.decision,
        gaps: row.gaps.map(({ key }) => key),
        reason: answer.reason,
      },
    })),
  );
  return rows.length === 1;
}

/** Records gaps that nobody is asked about, because an emergency waits for nobody, as accepted by it. */
export function leaveBehind(ledger: Ledger, request: HoldRequest): Promise<void> {
  return transact(ledger, async (trx) => {
    const [hold] = await openHolds(trx, [request]);
    if (hold === undefined) return;
    const answer = {
      decision: "accept",
      decidedBy: "system:worker",
      reason: "the emergency waits for nobody",
    } as const;
    await answerHold(trx, { holdId: hold.holdId, ...answer });
  });
}

/** Keys of all gaps that a person has accepted in this rotation, going the way that it goes now. A gap that is not among them opens a new hold. */
export async function readAcceptedGaps(db: Kysely<Tables>, rotationId: string): Promise<readonly string[]> {
  const { rows } = await sql<{ key: string }>`
    SELECT DISTINCT g ->> 'key' AS key
    FROM rotations r JOIN holds h ON h.rotation_id = r.id AND h.direction = r.direction, jsonb_array_elements(h.gaps) g
    WHERE r.id = ${rotationId} AND h.decision = 'accept' ORDER BY key`.execute(db);
  return rows.map(({ key }) => key);
}

function asHold(row: HoldRow): Hold {
  return {
    holdId: row.id,
    rotationId: row.rotation_id,
    number: row.number,
    phase: row.phase,
    code: row.code,
    detail: row.detail,
    gaps: row.gaps,
    openedAt: row.opened_at,
  };
}
