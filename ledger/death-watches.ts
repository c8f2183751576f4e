import { sql, type Kysely } from "kysely";
import {
  afterDeath,
  nextLookMs,
  type AfterDeath,
  type AfterDeathKind,
  type KnownVersion,
} from "../domain/death-watch.ts";
import type { Code } from "../domain/errors.ts";
import type { Order } from "../domain/order.ts";
import { defaultPolicy } from "../domain/policy.ts";
import { recordEvents } from "./audit.ts";
import { transact, type Ledger } from "./database.ts";
import { connectionCase, type ConnectionCase } from "./rotation-cases.ts";
import type { Tables } from "./tables.ts";

/** A dead version that is to be looked at, and where. */
export interface DeathWatch {
  readonly versionId: string;
  readonly number: number;
  readonly handle: string;
  readonly instance: string;
  readonly credentialId: string;
  readonly order: Order;
  readonly config: unknown;
  readonly connection: ConnectionCase;
}

const policyMs = sql`coalesce((c.policy ->> 'deadWatchMs')::float8, ${defaultPolicy.deadWatchMs}) * interval '1 millisecond'`;

/** Begins to watch those of these versions that had leaked and are proven dead. */
export async function watchDeaths(trx: Kysely<Tables>, versionIds: readonly string[]): Promise<void> {
  await sql`
    INSERT INTO death_watches (version_id, until)
    SELECT v.id, clock_timestamp() + ${policyMs} FROM versions v JOIN credentials c ON c.id = v.credential_id
    WHERE v.id = ANY(${[...versionIds]}) AND v.state = 'proven-dead' AND v.compromised_at IS NOT NULL
      AND v.handle IS NOT NULL
    ON CONFLICT DO NOTHING`.execute(trx);
}

/** Another worker looks instead when this one has not come back by then. Milliseconds. */
const leaseMs = 60_000;

/** Takes those whose time has come; of several workers each takes others. */
export async function takeDeathWatches(
  { db }: Ledger,
  { pools, atMost }: { readonly pools: readonly string[]; readonly atMost: number },
): Promise<readonly DeathWatch[]> {
  const { rows } = await sql<
    DeathWatch & { readonly connection: ConnectionCase & { readonly identity: string | null } }
  >`
    WITH due AS (
      SELECT w.version_id FROM death_watches w JOIN versions v ON v.id = w.version_id
      JOIN credentials c ON c.id = v.credential_id JOIN connections n ON n.id = c.connection_id
      WHERE w.next_at <= clock_timestamp() AND (w.until > clock_timestamp() OR w.looked_at IS NULL)
        AND c.retired_at IS NULL AND n.pool = ANY(${[...pools]})
      ORDER BY w.next_at LIMIT ${atMost} FOR UPDATE OF w SKIP LOCKED
    ), taken AS (
      UPDATE death_watches w SET next_at = clock_timestamp() + ${leaseMs} * interval '1 millisecond'
      FROM due WHERE w.version_id = due.version_id RETURNING w.version_id
    )
    SELECT v.id AS "versionId", v.number, v.handle, i.id AS instance, c.id AS "credentialId",
      c.rotation_order AS order, c.config, ${connectionCase} AS connection
    FROM taken JOIN versions v ON v.id = taken.version_id JOIN credentials c ON c.id = v.credential_id
    JOIN connections u ON u.id = c.connection_id JOIN teams ut ON ut.id = u.team_id CROSS JOIN instance i`.execute(db);
  return rows.map((row) => ({
    ...row,
    connection: { ...row.connection, identity: row.connection.identity ?? undefined },
  }));
}

/** What the ledger knows of a credential's keys. */
export interface KnownKeys {
  readonly known: ReadonlyMap<string, KnownVersion>;
  readonly isMaking: boolean;
  /** Of the version in use, in the issuer's words; undefined where nobody knows. */
  readonly since: string | undefined;
  /** How long the watched version has been dead. Milliseconds. */
  readonly deadForMs: number;
}

export async function readKnownKeys(db: Kysely<Tables>, { credentialId, versionId }: DeathWatch): Promise<KnownKeys> {
  const { rows } = await sql<{
    id: string;
    number: number;
    handle: string | null;
    isDead: boolean;
    deadForMs: number;
    since: string | null;
    isMaking: boolean;
  }>`
    SELECT v.id, v.number, v.handle, v.state = 'proven-dead' AS "isDead",
      coalesce(extract(epoch FROM clock_timestamp() - v.ended_at) * 1000, 0)::float8 AS "deadForMs",
      CASE WHEN v.number = c.current_version THEN v.effective_at END AS since,
      v.state = 'intended' AND EXISTS (SELECT FROM rotations r JOIN operations o ON o.rotation_id = r.id
        WHERE r.credential_id = c.id AND r.outcome IS NULL AND r.to_version = v.number
          AND o.step IN ('issue', 'stage')) AS "isMaking"
    FROM versions v JOIN credentials c ON c.id = v.credential_id WHERE c.id = ${credentialId}`.execute(db);
  return {
    known: new Map(
      rows.flatMap(({ handle, number, isDead, deadForMs }) =>
        handle === null ? [] : [[handle, { number, isDead, deadForMs: isDead ? deadForMs : 0 }] as const],
      ),
    ),
    isMaking: rows.some(({ isMaking }) => isMaking),
    since: rows.find(({ since }) => since !== null)?.since ?? undefined,
    deadForMs: rows.find(({ id }) => id === versionId)?.deadForMs ?? 0,
  };
}

/** Records a look: what is new of what it found is an event each, and whatever was found makes the watch longer. */
export function recordDeadLook(ledger: Ledger, watch: DeathWatch, found: readonly AfterDeath[]): Promise<void> {
  const { versionId, credentialId, number } = watch;
  return transact(ledger, async (trx) => {
    // First, so that what this look finds is not older than the look: what is older has gone since.
    await next(trx, watch, { isFound: found.length > 0 });
    const { rows } = await sql<AfterDeath & { readonly isNew: boolean }>`
      WITH before AS (SELECT kind, key FROM death_findings WHERE version_id = ${versionId})
      INSERT INTO death_findings AS f (version_id, kind, key, text)
      SELECT DISTINCT ON (g.kind, g.key) ${versionId}, g.kind, g.key, g.text
      FROM jsonb_to_recordset(${JSON.stringify(found)}::jsonb) AS g (kind text, key text, text text)
      ON CONFLICT (version_id, kind, key) DO UPDATE SET last_seen_at = clock_timestamp(), text = excluded.text
      RETURNING kind, key, text,
        NOT EXISTS (SELECT FROM before WHERE before.kind = f.kind AND before.key = f.key) AS "isNew"`.execute(trx);
    await recordEvents(
      trx,
      rows
        .filter(({ isNew }) => isNew)
        .map(({ kind, text }) => ({
          ...{ credentialId, actor: "system:worker", action: afterDeath[kind] },
          details: { version: number, text },
        })),
    );
  });
}

/** The issuer could not be asked. */
export const recordBlindLook = ({ db }: Ledger, watch: DeathWatch, code: Code): Promise<void> =>
  next(db, watch, { isFound: false, code });

async function next(
  db: Kysely<Tables>,
  { versionId }: DeathWatch,
  { isFound, code }: { readonly isFound: boolean; readonly code?: Code },
): Promise<void> {
  const { rows } = await sql<{ ageMs: number }>`
    SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 * 1000 AS "ageMs" FROM death_watches
    WHERE version_id = ${versionId}`.execute(db);
  const waitMs = nextLookMs(rows[0]?.ageMs ?? 0);
  await sql`
    UPDATE death_watches w SET next_at = clock_timestamp() + ${waitMs} * interval '1 millisecond',
      last_code = ${code ?? null}, looked_at = CASE WHEN ${code === undefined} THEN clock_timestamp() ELSE looked_at END,
      until = CASE WHEN ${isFound} THEN greatest(until, clock_timestamp() + ${policyMs}) ELSE until END
    FROM versions v JOIN credentials c ON c.id = v.credential_id
    WHERE w.version_id = ${versionId} AND v.id = w.version_id`.execute(db);
}

export interface AfterDeathView {
  readonly version: number;
  readonly kind: AfterDeathKind;
  readonly text: string;
  readonly firstSeenAt: Date;
  readonly lastSeenAt: Date;
}

/** What was found of the versions of an emergency that a rotation carried, the newest first. */
export async function readAfterDeath(db: Kysely<Tables>, rotationId: string): Promise<readonly AfterDeathView[]> {
  const { rows } = await sql<AfterDeathView>`
    SELECT v.number AS version, f.kind, f.text, f.first_seen_at AS "firstSeenAt", f.last_seen_at AS "lastSeenAt"
    FROM rotations r JOIN versions v ON v.credential_id = r.credential_id JOIN death_findings f ON f.version_id = v.id
    WHERE r.id = ${rotationId} AND EXISTS (
      SELECT FROM emergencies e WHERE e.rotation_id = r.id AND v.number = ANY(e.versions))
    ORDER BY f.last_seen_at DESC, f.kind, f.key LIMIT 100`.execute(db);
  return rows;
}
