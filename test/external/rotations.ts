import type { ExternalWorld } from "./external-world.ts";
import { eachOf, type ManyRole } from "./many-roles.ts";

export interface RotationSeen {
  readonly id: string;
  readonly credential: string;
  readonly phase: string;
  readonly outcome: string | null;
  readonly requestedBy: string;
  /** From reserved to closed; null while it is open. */
  readonly tookMs: number | null;
  readonly hold: string | null;
}

/** What stands in the ledger, read with nothing of the product. */
export async function readRotations(
  { ledger }: ExternalWorld,
  names: readonly string[],
): Promise<readonly RotationSeen[]> {
  const { rows } = await ledger.witness.query<RotationSeen>(
    `SELECT r.id, c.name AS credential, r.phase, r.outcome, r.requested_by AS "requestedBy",
      (extract(epoch FROM r.closed_at - r.created_at) * 1000)::float8 AS "tookMs",
      (SELECT h.code || ': ' || h.detail FROM holds h WHERE h.rotation_id = r.id AND h.decided_at IS NULL LIMIT 1) AS hold
    FROM rotations r JOIN credentials c ON c.id = r.credential_id WHERE c.name = ANY($1) ORDER BY r.created_at, r.id`,
    [names],
  );
  return rows;
}

export async function rotateAll(world: ExternalWorld, roles: readonly ManyRole[]): Promise<void> {
  await eachOf(roles, async ({ ref }) => {
    await world.api.call("reserveRotation", { params: { credential: ref }, body: { reason: "external" } });
  });
}

export interface Cost {
  readonly events: readonly number[];
  readonly milliseconds: readonly number[];
}

/** Of each rotation: the events of its workflow's runs, asked of Temporal, and the ledger's own times. */
export async function costOf({ temporal }: ExternalWorld, rotations: readonly RotationSeen[]): Promise<Cost> {
  const events = await Promise.all(
    rotations.map(
      async ({ id }) => (await temporal.client.workflow.getHandle(`rotate/${id}`).describe()).historyLength,
    ),
  );
  return { events, milliseconds: rotations.map(({ tookMs }) => Math.round(tookMs ?? Number.NaN)) };
}

export function costLines({ events, milliseconds }: Cost): string {
  const line = (name: string, values: readonly number[]) => {
    const sorted = values.toSorted((a, b) => a - b);
    const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    return `${name}: min ${sorted[0]}, median ${at(0.5)}, p90 ${at(0.9)}, max ${sorted.at(-1)}`;
  };
  return [
    `${events.length} rotations, on Temporal's server with PostgreSQL, two workers of which each was killed once`,
    line("events of each one's history", events),
    line("milliseconds from reserved to closed", milliseconds),
    "",
  ].join("\n");
}

/** How many versions of each credential there ever were, by the ledger. */
export async function versionsMade(
  { ledger }: ExternalWorld,
  names: readonly string[],
): Promise<Readonly<Record<string, number>>> {
  const { rows } = await ledger.witness.query<{ name: string; count: number }>(
    `SELECT c.name, count(*)::int AS count FROM versions v JOIN credentials c ON c.id = v.credential_id
    WHERE c.name = ANY($1) GROUP BY c.name`,
    [names],
  );
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}
