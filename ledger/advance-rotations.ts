import { sql, type Kysely } from "kysely";
import { PermanentError } from "../domain/errors.ts";
import { nextPhase, type Order, type Phase } from "../domain/order.ts";
import { recordEvents } from "./audit.ts";
import type { Tables } from "./tables.ts";

export interface Advance {
  readonly rotationId: string;
  readonly order: Order;
  /** The phase that the step began in. */
  readonly from: Phase;
}

interface AdvancedRow {
  readonly id: string;
  readonly credential_id: string;
  readonly direction: string;
  readonly phase: Phase;
}

/**
 * Moves each rotation forward to the phase after `from`. One that is there already is left as it is, so that a step may
 * say so again; one that is anywhere else, is being undone or is closed makes the whole call fail and nothing moves.
 * `closed` is not reached here: closing carries an outcome.
 * @throws {PermanentError} `claim_outdated` when another attempt or a person has moved one of the rotations.
 */
export async function advanceRotations(trx: Kysely<Tables>, advances: readonly Advance[]): Promise<void> {
  const moves = advances.map(({ rotationId, order, from }) => {
    const to = nextPhase(order, from);
    if (to === undefined || to === "closed")
      throw new PermanentError("internal", `No step advances an ${order} rotation from ${from}.`);
    return { id: rotationId, from, to };
  });
  const given = JSON.stringify(moves);
  const { rows } = await sql<AdvancedRow>`
    WITH standing AS MATERIALIZED (
      SELECT id, credential_id, direction, phase FROM rotations
      WHERE id = ANY(${moves.map(({ id }) => id)}) AND outcome IS NULL ORDER BY id FOR UPDATE
    ), moved AS (
      UPDATE rotations r SET phase = g."to", phase_since = clock_timestamp(), asked_since = clock_timestamp(),
        attempts = 0, last_code = NULL, wait_until = NULL
      FROM jsonb_to_recordset(${given}::jsonb) AS g (id text, "from" text, "to" text), standing s
      WHERE r.id = g.id AND s.id = g.id AND s.phase = g."from")
    SELECT * FROM standing`.execute(trx);
  const standing = new Map(rows.map((row) => [row.id, row]));
  const isMovable = ({ id, from, to }: (typeof moves)[number]) => {
    const row = standing.get(id);
    return row?.direction === "forward" && (row.phase === from || row.phase === to);
  };
  if (!moves.every(isMovable))
    throw new PermanentError("claim_outdated", "The rotation has moved since this step began; it is left as it is.");
  await recordEvents(
    trx,
    moves
      .filter(({ id, from }) => standing.get(id)?.phase === from)
      .map(({ id, to }) => ({
        credentialId: standing.get(id)?.credential_id,
        rotationId: id,
        actor: "system:worker",
        action: `rotation.${to}`,
      })),
  );
}
