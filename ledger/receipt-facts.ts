import { sql, type Kysely } from "kysely";
import type { Gap } from "../domain/guard.ts";
import type { Direction, Outcome } from "../domain/order.ts";
import { exactTime, type AuditHead } from "./audit-chain.ts";
import type { Ledger } from "./database.ts";
import { readEmergencyFacts, type EmergencyFacts } from "./receipt-emergencies.ts";
import { readSealed, type SealedRow } from "./sealed-rows.ts";
import type { Tables } from "./tables.ts";

type Db = Kysely<Tables>;

export interface RotationFacts {
  readonly id: string;
  readonly credentialId: string;
  /** `team/name` */
  readonly credential: string;
  readonly environment: string;
  readonly kind: string;
  /** `team/name` */
  readonly connection: string;
  readonly identity: string | null;
  readonly order: string;
  readonly direction: Direction;
  readonly requestedBy: string;
  readonly reason: string;
  readonly reservedAt: string;
  readonly closedAt: string | null;
  readonly outcome: Outcome | null;
  readonly from: VersionFacts | null;
  readonly to: VersionFacts;
  readonly instance: string;
  readonly now: string;
}

interface VersionFacts {
  readonly number: number;
  readonly handle: string | null;
}

export interface ConsumerFacts {
  readonly id: string;
  readonly name: string;
  readonly kind: string;
  readonly target: string;
  readonly deliveries: readonly { readonly version: number; readonly number: number; readonly at: string }[];
  /** The latest of each source and version. */
  readonly evidence: readonly {
    readonly version: number;
    readonly source: string;
    readonly strength: string;
    readonly complete: boolean;
    readonly instances: number;
    readonly lacks: readonly string[];
    readonly at: string;
  }[];
}

export interface VerdictFacts {
  readonly purpose: string;
  readonly clear: boolean;
  readonly at: string;
  readonly gaps: { readonly standing: readonly Gap[]; readonly accepted: readonly Gap[] };
}

export interface HoldFacts {
  readonly number: number;
  readonly phase: string;
  readonly code: string;
  readonly detail: string;
  readonly gaps: readonly Gap[];
  readonly openedAt: string;
  readonly decision: string | null;
  readonly decidedBy: string | null;
  readonly reason: string | null;
  readonly decidedAt: string | null;
}

export interface CommandFacts {
  readonly kind: string;
  readonly by: string;
  readonly at: string;
  readonly state: string;
}

export interface ReceiptFacts {
  readonly rotation: RotationFacts;
  readonly consumers: readonly ConsumerFacts[];
  readonly verdicts: readonly VerdictFacts[];
  readonly holds: readonly HoldFacts[];
  readonly commands: readonly CommandFacts[];
  readonly actors: readonly { readonly id: string; readonly role: string; readonly description: string }[];
  /** Its own rows. */
  readonly trail: readonly SealedRow[];
  readonly emergency: EmergencyFacts;
  readonly head: AuditHead | null;
}

/** All that was recorded of one rotation, as of one moment. Undefined when there is none of that id. */
export function readReceiptFacts(ledger: Ledger, rotationId: string): Promise<ReceiptFacts | undefined> {
  return ledger.db
    .transaction()
    .setIsolationLevel("repeatable read")
    .setAccessMode("read only")
    .execute(async (trx) => {
      const rotation = await readRotationFacts(trx, rotationId);
      if (rotation === undefined) return undefined;
      const [holds, commands] = [await readHoldFacts(trx, rotationId), await readCommandFacts(trx, rotationId)];
      const trail = await readSealed(trx, sql`a.rotation_id = ${rotationId}`);
      const emergency = await readEmergencyFacts(trx, { rotationId, credentialId: rotation.credentialId });
      const acting = [
        rotation.requestedBy,
        ...holds.map(({ decidedBy }) => decidedBy),
        ...commands.map(({ by }) => by),
        ...emergency.declarations.flatMap(({ requestedBy, suspects }) => [
          requestedBy,
          ...suspects.map(({ releasedBy }) => releasedBy),
        ]),
      ];
      return {
        ...{ rotation, holds, commands, trail, emergency },
        consumers: await readConsumerFacts(trx, rotationId),
        verdicts: await readVerdictFacts(trx, rotationId),
        actors: await readActors(
          trx,
          acting.flatMap((id) => id ?? []),
        ),
        head: await readHead(trx, rotation.instance, Math.max(0, ...trail.map(({ position }) => position ?? 0))),
      };
    });
}

const version = (number: string) => sql`(
  SELECT jsonb_build_object('number', v.number, 'handle', v.handle) FROM versions v
  WHERE v.credential_id = r.credential_id AND v.number = ${sql.ref(number)})`;

async function readRotationFacts(db: Db, id: string): Promise<RotationFacts | undefined> {
  const { rows } = await sql<RotationFacts>`
    SELECT r.id, c.id AS "credentialId", t.name || '/' || c.name AS credential, e.name AS environment, c.kind,
      nt.name || '/' || n.name AS connection, r.pinned ->> 'identity' AS identity, r.rotation_order AS "order", r.direction,
      r.requested_by AS "requestedBy", r.reason, ${exactTime("r.created_at")} AS "reservedAt",
      ${exactTime("r.closed_at")} AS "closedAt", r.outcome, ${version("r.from_version")} AS "from",
      ${version("r.to_version")} AS "to", i.id AS instance, ${exactTime("clock.now")} AS now
    FROM rotations r JOIN credentials c ON c.id = r.credential_id JOIN teams t ON t.id = c.team_id
    JOIN environments e ON e.id = c.environment_id JOIN connections n ON n.id = c.connection_id
    JOIN teams nt ON nt.id = n.team_id CROSS JOIN instance i CROSS JOIN (SELECT clock_timestamp() AS now) clock
    WHERE r.id = ${id}`.execute(db);
  return rows[0];
}

/** Those that the rotation began with or touched, whatever became of them since. */
async function readConsumerFacts(db: Db, rotationId: string): Promise<readonly ConsumerFacts[]> {
  const { rows } = await sql<ConsumerFacts>`
    SELECT n.id, t.name || '/' || n.name AS name, n.kind, n.target,
      coalesce((SELECT jsonb_agg(jsonb_build_object('version', d.version, 'number', d.number,
          'at', ${exactTime("d.created_at")}) ORDER BY d.sequence)
        FROM deliveries d WHERE d.rotation_id = r.id AND d.consumer_id = n.id AND d.sequence IS NOT NULL), '[]'
      ) AS deliveries,
      coalesce((SELECT jsonb_agg(jsonb_build_object('version', v.version, 'source', v.source, 'strength', v.strength,
          'complete', v.complete, 'instances', v.instances, 'lacks', v.lacks, 'at', ${exactTime("v.at")}) ORDER BY v.sequence)
        FROM (SELECT DISTINCT ON (source, version) * FROM evidence
          WHERE rotation_id = r.id AND consumer_id = n.id ORDER BY source, version, sequence DESC) v), '[]') AS evidence
    FROM rotations r JOIN consumers n ON n.credential_id = r.credential_id JOIN teams t ON t.id = n.team_id
    WHERE r.id = ${rotationId} AND (r.pinned -> 'consumers' ? n.id
      OR EXISTS (SELECT FROM deliveries d WHERE d.rotation_id = r.id AND d.consumer_id = n.id)
      OR EXISTS (SELECT FROM evidence v WHERE v.rotation_id = r.id AND v.consumer_id = n.id))
    ORDER BY name, n.id`.execute(db);
  return rows;
}

async function readVerdictFacts(db: Db, rotationId: string): Promise<readonly VerdictFacts[]> {
  const { rows } = await sql<VerdictFacts>`
    SELECT purpose, clear, gaps, ${exactTime("verdicts.at")} AS at FROM verdicts
    WHERE rotation_id = ${rotationId} ORDER BY sequence`.execute(db);
  return rows;
}

async function readHoldFacts(db: Db, rotationId: string): Promise<readonly HoldFacts[]> {
  const { rows } = await sql<HoldFacts>`
    SELECT number, phase, code, detail, gaps, ${exactTime("holds.opened_at")} AS "openedAt", decision,
      decided_by AS "decidedBy", reason, ${exactTime("holds.decided_at")} AS "decidedAt"
    FROM holds WHERE rotation_id = ${rotationId} ORDER BY number`.execute(db);
  return rows;
}

async function readCommandFacts(db: Db, rotationId: string): Promise<readonly CommandFacts[]> {
  const { rows } = await sql<CommandFacts>`
    SELECT kind, actor AS by, ${exactTime("commands.at")} AS at, state FROM commands
    WHERE rotation_id = ${rotationId} ORDER BY commands.at, id`.execute(db);
  return rows;
}

async function readActors(db: Db, ids: readonly string[]): Promise<ReceiptFacts["actors"]> {
  const { rows } = await sql<ReceiptFacts["actors"][number]>`
    SELECT id, role, description FROM tokens WHERE id = ANY(${[...ids]}) ORDER BY id`.execute(db);
  return rows;
}

async function readHead(db: Db, instance: string, position: number): Promise<AuditHead | null> {
  const { rows } = await sql<AuditHead>`
    SELECT ${instance}::text AS instance, position, last_audit_id AS "lastAuditId", encode(hash, 'hex') AS hash,
      ${exactTime("audit_heads.sealed_at")} AS "sealedAt",
      translate(encode(signature, 'base64'), E'\n', '') AS signature, key_id AS "keyId"
    FROM audit_heads WHERE position >= ${position} ORDER BY position LIMIT 1`.execute(db);
  return rows[0] ?? null;
}
