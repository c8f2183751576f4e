import { sql, type Kysely } from "kysely";
import type { Running } from "../domain/emergency.ts";
import type { Direction, Order, Phase } from "../domain/order.ts";
import type { Tables } from "./tables.ts";

interface Row {
  readonly id: string;
  readonly credential_id: string;
  readonly rotation_order: Order;
  readonly phase: Phase;
  readonly direction: Direction;
  readonly urgent: boolean;
  readonly paused: boolean;
  readonly from_version: number;
  readonly to_version: number;
  readonly is_begun: boolean;
  readonly is_leaving: boolean;
  readonly is_touched: boolean;
  readonly former_in_custody: boolean;
  readonly hold_id: string | null;
  readonly hold_code: string | null;
}

export type RunningRotation = Running & {
  readonly rotationId: string;
  readonly paused: boolean;
  readonly holdId: string | null;
  readonly holdCode: string | null;
};

/** The open rotations of these credentials as an emergency looks at them, keyed by credential; their rows are locked. */
export async function readRunning(
  trx: Kysely<Tables>,
  credentialIds: readonly string[],
): Promise<ReadonlyMap<string, RunningRotation>> {
  const { rows } = await sql<Row>`
    SELECT r.id, r.credential_id, r.rotation_order, r.phase, r.direction, r.urgent, r.paused, r.from_version,
      r.to_version,
      EXISTS (SELECT FROM operations o WHERE o.rotation_id = r.id AND o.step IN ('issue', 'stage')) AS is_begun,
      EXISTS (SELECT FROM operations o WHERE o.rotation_id = r.id
        AND o.step IN ('abandon', 'cut-back', 'forget', 'unstage')) AS is_leaving,
      EXISTS (SELECT FROM deliveries d WHERE d.rotation_id = r.id AND d.version = r.to_version) AS is_touched,
      EXISTS (
        SELECT FROM versions v WHERE v.credential_id = r.credential_id AND v.number = r.from_version
          AND v.state NOT IN ('intended', 'proven-dead', 'accepted-unproven')) AS former_in_custody,
      (SELECT h.id FROM holds h WHERE h.rotation_id = r.id AND h.decided_at IS NULL) AS hold_id,
      (SELECT h.code FROM holds h WHERE h.rotation_id = r.id AND h.decided_at IS NULL) AS hold_code
    FROM rotations r WHERE r.credential_id = ANY(${[...credentialIds]}) AND r.outcome IS NULL
    ORDER BY r.id FOR UPDATE OF r`.execute(trx);
  return new Map(
    rows.map((row) => [
      row.credential_id,
      {
        rotationId: row.id,
        order: row.rotation_order,
        phase: row.phase,
        direction: row.direction,
        urgent: row.urgent,
        paused: row.paused,
        fromVersion: row.from_version,
        toVersion: row.to_version,
        isCandidateBegun: row.is_begun,
        isCandidateLeaving: row.is_leaving,
        isTouched: row.is_touched,
        formerInCustody: row.former_in_custody,
        holdId: row.hold_id,
        holdCode: row.hold_code,
      },
    ]),
  );
}
