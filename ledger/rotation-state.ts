import { sql, type Kysely } from "kysely";
import type { OpenHold, RotationState } from "../domain/command.ts";
import type { Code } from "../domain/errors.ts";
import type { Gap } from "../domain/guard.ts";
import type { Direction, Order, Phase } from "../domain/order.ts";
import { effectivePolicy, stricter, type GivenPolicy } from "../domain/policy.ts";
import type { Tables } from "./tables.ts";

interface StateRow {
  readonly id: string;
  readonly rotation_order: Order;
  readonly phase: Phase;
  readonly direction: Direction;
  readonly urgent: boolean;
  readonly paused: boolean;
  readonly to_version: number;
  readonly issue_intended: boolean;
  readonly former_in_custody: boolean;
  readonly is_compromised: boolean;
  readonly is_needed: boolean;
  readonly consumer_ids: readonly string[];
  readonly hold_id: string | null;
  readonly hold_code: Code | null;
  readonly hold_gaps: readonly Gap[] | null;
  readonly pinned_policy: GivenPolicy;
  readonly policy: GivenPolicy;
  readonly extended_ms: number;
  readonly wait_ms: number;
}

/** Also how long until it is to be looked at again, by the ledger's clock; 0: at any time. */
export type WaitingState = RotationState & { readonly waitMs: number };

/**
 * What decides whether a command is heard, for many rotations, keyed by rotation. Ask inside the transaction that acts
 * on the answer, with the rotations' rows locked. A rotation that does not exist is left out.
 */
export async function rotationState(
  db: Kysely<Tables>,
  rotationIds: readonly string[],
): Promise<ReadonlyMap<string, WaitingState>> {
  const { rows } = await sql<StateRow>`
    SELECT r.id, r.rotation_order, r.phase, r.direction, r.urgent, r.paused, r.to_version,
      EXISTS (SELECT FROM operations o WHERE o.rotation_id = r.id AND o.step IN ('issue', 'stage')) AS issue_intended,
      -- a value is forgotten when its version is proven dead, and not before
      EXISTS (
        SELECT FROM versions v WHERE v.credential_id = r.credential_id AND v.number = r.from_version
          AND v.state NOT IN ('intended', 'proven-dead', 'accepted-unproven')) AS former_in_custody,
      EXISTS (
        SELECT FROM versions v WHERE v.credential_id = r.credential_id AND v.number = r.from_version
          AND v.compromised_at IS NOT NULL) AS is_compromised,
      EXISTS (SELECT FROM emergencies e WHERE e.rotation_id = r.id AND e.outcome IS NULL) AS is_needed,
      ARRAY(
        SELECT jsonb_object_keys(r.pinned -> 'consumers') UNION
        SELECT n.id FROM consumers n WHERE n.credential_id = r.credential_id AND n.retired_at IS NULL
        ORDER BY 1) AS consumer_ids,
      h.id AS hold_id, h.code AS hold_code, h.gaps AS hold_gaps,
      r.policy AS pinned_policy, c.policy, r.extended_ms::float8 AS extended_ms,
      greatest(0, coalesce(ceil(extract(epoch FROM r.wait_until - clock_timestamp()) * 1000), 0))::float8 AS wait_ms
    FROM rotations r JOIN credentials c ON c.id = r.credential_id LEFT JOIN holds h ON h.rotation_id = r.id AND h.decided_at IS NULL
    WHERE r.id = ANY(${[...rotationIds]})`.execute(db);
  return new Map(rows.map((row) => [row.id, asState(row)]));
}

function asState(row: StateRow): WaitingState {
  return {
    order: row.rotation_order,
    phase: row.phase,
    direction: row.direction,
    urgent: row.urgent,
    paused: row.paused,
    issueIntended: row.issue_intended,
    candidateVersion: row.to_version,
    consumerIds: row.consumer_ids,
    hold: asOpenHold(row),
    conditions: {
      formerInCustody: row.former_in_custody,
      compromised: row.is_compromised,
      ...(row.is_needed && row.direction === "forward" ? { onlyForward: true } : {}),
    },
    graceRoomMs: graceRoom(row),
    waitMs: row.wait_ms,
  };
}

/** By the policy of today, and never below nothing: a grace that is longer by the policy it began with stays. */
function graceRoom({ pinned_policy: pinned, policy, extended_ms: extendedMs }: StateRow): number | undefined {
  const today = effectivePolicy(policy);
  if (today.graceMaxMs === undefined) return undefined;
  const { graceMs } = stricter(effectivePolicy(pinned), today);
  return Math.max(0, today.graceMaxMs - graceMs - extendedMs);
}

function asOpenHold({ hold_id: holdId, hold_code: code, hold_gaps: gaps }: StateRow): OpenHold | undefined {
  if (holdId === null || code === null) return undefined;
  return { holdId, code, gaps: (gaps ?? []).map(({ key }) => key) };
}
