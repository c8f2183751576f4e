import { sql, type Kysely, type RawBuilder } from "kysely";
import { chainHash, exactTime, type ChainRow } from "./audit-chain.ts";
import type { Tables } from "./tables.ts";

/** A row of the trail with its seal. */
export interface SealedRow extends ChainRow {
  /** Null: no sealer has come to it yet. */
  readonly position: number | null;
  /** Hex. */
  readonly hash: string | null;
  /** It is what was sealed. */
  readonly isGenuine: boolean;
}

interface TrailRow extends ChainRow {
  readonly position: number | null;
  readonly previous: Buffer | null;
  readonly hash: Buffer | null;
}

/** Rows of the trail `a` that fit, in the order in which they were sealed, each held against its seal. */
export async function readSealed(db: Kysely<Tables>, fits: RawBuilder<unknown>): Promise<readonly SealedRow[]> {
  const { rows } = await sql<TrailRow>`
    SELECT a.id, ${exactTime("a.at")} AS at, a.credential_id AS "credentialId", a.rotation_id AS "rotationId", a.actor,
      a.action, a.details, s.position, s.previous_hash AS previous, s.hash
    FROM audit a LEFT JOIN audit_seals s ON s.audit_id = a.id
    WHERE ${fits} ORDER BY s.position, a.id`.execute(db);
  return rows.map(({ previous, hash, position, ...row }) => ({
    ...{ ...row, position },
    hash: hash === null ? null : hash.toString("hex"),
    isGenuine: previous !== null && hash !== null && chainHash(previous, row).equals(hash),
  }));
}
