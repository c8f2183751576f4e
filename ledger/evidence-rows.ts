import { sql, type Kysely } from "kysely";
import type { GuardEvidence, GuardPurpose, GuardVerdict } from "../domain/guard.ts";
import type { Strength } from "../domain/evidence.ts";
import type { Ledger } from "./database.ts";
import { newId } from "./new-id.ts";
import type { Tables } from "./tables.ts";

export interface EvidenceRecord {
  readonly rotationId: string;
  readonly consumerId: string;
  /** The number of the version that was looked for. */
  readonly version: number;
  /** The kind of evidence that collected it, or `target` for what was read back. */
  readonly source: string;
  readonly strength: Strength;
  readonly complete: boolean;
  readonly instances: number;
  readonly lacks: readonly string[];
}

/** Stores what was seen; the ledger's sequence orders it after every delivery recorded before. */
export async function recordEvidence(ledger: Ledger, records: readonly EvidenceRecord[]): Promise<void> {
  if (records.length === 0) return;
  await sql`
    INSERT INTO evidence (rotation_id, consumer_id, version, source, strength, complete, instances, lacks)
    SELECT "rotationId", "consumerId", version, source, strength, complete, instances, lacks
    FROM jsonb_to_recordset(${JSON.stringify(records)}::jsonb) AS g ("rotationId" text, "consumerId" text,
      version integer, source text, strength text, complete boolean, instances integer, lacks jsonb)`.execute(
    ledger.db,
  );
}

export interface LatestEvidence extends GuardEvidence {
  readonly instances: number;
  readonly lacks: readonly string[];
}

interface LatestRow {
  readonly consumer_id: string;
  readonly version: number;
  readonly strength: Strength;
  readonly complete: boolean;
  readonly instances: number;
  readonly lacks: readonly string[];
  readonly sequence: number;
}

/**
 * The latest evidence of each consumer of a rotation that was recorded after a sequence and shows a version, keyed by
 * consumer, one of each source: what one kind of evidence shows never takes the place of what another has shown.
 */
export async function readEvidence(
  db: Kysely<Tables>,
  query: { readonly rotationId: string; readonly version: number; readonly afterSequence: number },
): Promise<ReadonlyMap<string, readonly LatestEvidence[]>> {
  const { rows } = await sql<LatestRow>`
    SELECT DISTINCT ON (consumer_id, source) consumer_id, version, strength, complete, instances, lacks, sequence
    FROM evidence
    WHERE rotation_id = ${query.rotationId} AND version = ${query.version} AND sequence > ${query.afterSequence}
    ORDER BY consumer_id, source, sequence DESC`.execute(db);
  const asEvidence = (row: LatestRow): LatestEvidence => ({
    strength: row.strength,
    sequence: row.sequence,
    complete: row.complete,
    handleVersion: row.version,
    instances: row.instances,
    lacks: row.lacks,
  });
  const grouped = Map.groupBy(rows, (row) => row.consumer_id);
  return new Map([...grouped].map(([consumerId, found]) => [consumerId, found.map(asEvidence)]));
}

/** Consumers that have once shown a version completely in a rotation, each with the sequence of when it first did. */
export async function readAdopted(
  db: Kysely<Tables>,
  query: { readonly rotationId: string; readonly version: number },
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await sql<{ id: string; first: number }>`
    SELECT consumer_id AS id, min(sequence) AS first FROM evidence
    WHERE rotation_id = ${query.rotationId} AND version = ${query.version} AND complete
    GROUP BY consumer_id`.execute(db);
  return new Map(rows.map(({ id, first }) => [id, first]));
}

/** The ledger's sequence as it is now: whatever is recorded later has a higher one. */
export async function readSequence(db: Kysely<Tables>): Promise<number> {
  const { rows } = await sql<{ last: number }>`SELECT nextval('ledger_sequence') AS last`.execute(db);
  return rows[0]?.last ?? 0;
}

/** Keeps a verdict with everything that stood in its way or was accepted. */
export async function recordVerdict(
  trx: Kysely<Tables>,
  verdict: {
    readonly rotationId: string;
    readonly purpose: GuardPurpose | "drain";
    readonly verdict: GuardVerdict;
  },
): Promise<void> {
  const { rotationId, purpose } = verdict;
  const { clear, gaps, accepted } = verdict.verdict;
  await sql`
    INSERT INTO verdicts (id, rotation_id, purpose, clear, gaps)
    VALUES (${newId("verdict")}, ${rotationId}, ${purpose}, ${clear},
      ${JSON.stringify({ standing: gaps, accepted })}::jsonb)`.execute(trx);
}
