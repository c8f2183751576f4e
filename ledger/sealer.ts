import { sql, type Transaction } from "kysely";
import { createTroubleSpell, type SpellListener } from "../domain/trouble-spell.ts";
import {
  chainHash,
  exactTime,
  genesisHash,
  signHead,
  type AuditHead,
  type ChainRow,
  type SigningKey,
} from "./audit-chain.ts";
import { locks, type Ledger } from "./database.ts";
import { createRounds } from "./rounds.ts";
import type { Tables } from "./tables.ts";

export interface SealerOptions extends Partial<SpellListener> {
  readonly ledger: Ledger;
  readonly signingKey: SigningKey;
  /** Rows sealed in one transaction. */
  readonly batch?: number;
  readonly everyMs?: number;
  /** A new head is signed no sooner than this after the last, and only when there is news. */
  readonly headEveryMs?: number;
  /** Sends a signed head outside; a failure is trouble, and the next head covers the same rows. */
  readonly onHead?: (head: AuditHead) => Promise<void>;
}

export interface SealResult {
  /** False when another sealer had the lock. */
  readonly hadTurn: boolean;
  readonly sealed: number;
  readonly head?: AuditHead;
}

export interface Sealer {
  runOnce(): Promise<SealResult>;
  start(): void;
  stop(): Promise<void>;
}

interface Tip {
  readonly instance: string;
  readonly position: number;
  readonly hash: Buffer;
  readonly lastAuditId: number;
}

async function readTip(trx: Transaction<Tables>): Promise<Tip> {
  const { id } = await trx.selectFrom("instance").select("id").executeTakeFirstOrThrow();
  const last = await trx.selectFrom("audit_seals").selectAll().orderBy("position", "desc").limit(1).executeTakeFirst();
  return last === undefined
    ? { instance: id, position: 0, hash: genesisHash(id), lastAuditId: 0 }
    : { instance: id, position: last.position, hash: last.hash, lastAuditId: last.audit_id };
}

/** Visible rows without a seal. `floor`: transactions before it had ended when everything visible had been sealed. */
function takeUnsealed(trx: Transaction<Tables>, floor: string, limit: number): Promise<ChainRow[]> {
  return trx
    .selectFrom("audit as a")
    .where(sql<boolean>`a.tx >= ${floor}::xid8`)
    .where((row) =>
      row.not(row.exists(row.selectFrom("audit_seals as s").whereRef("s.audit_id", "=", "a.id").select("s.audit_id"))),
    )
    .orderBy("a.id")
    .limit(limit)
    .select([
      "a.id",
      "a.credential_id as credentialId",
      "a.rotation_id as rotationId",
      "a.actor",
      "a.action",
      "a.details",
    ])
    .select(exactTime("a.at").as("at"))
    .execute();
}

async function seal(trx: Transaction<Tables>, from: Tip, rows: readonly ChainRow[]): Promise<Tip> {
  let tip = from;
  const seals = rows.map((row) => {
    const previous = tip.hash;
    tip = { ...tip, position: tip.position + 1, hash: chainHash(previous, row), lastAuditId: row.id };
    return {
      audit_id: row.id,
      position: tip.position,
      previous: previous.toString("hex"),
      hash: tip.hash.toString("hex"),
    };
  });
  await sql`
    INSERT INTO audit_seals (position, audit_id, previous_hash, hash)
    SELECT position, audit_id, decode(previous, 'hex'), decode(hash, 'hex')
    FROM jsonb_to_recordset(${JSON.stringify(seals)}::jsonb)
      AS given (position bigint, audit_id bigint, previous text, hash text)`.execute(trx);
  return tip;
}

async function signWhenDue(
  trx: Transaction<Tables>,
  tip: Tip,
  key: SigningKey,
  everyMs: number,
): Promise<AuditHead | undefined> {
  const due = await sql<{ now: string }>`
    SELECT ${exactTime("c.now")} AS now FROM (SELECT clock_timestamp() AS now) AS c
    LEFT JOIN (SELECT position, sealed_at FROM audit_heads ORDER BY position DESC LIMIT 1) AS h ON true
    WHERE h.position IS NULL OR (h.position < ${tip.position} AND h.sealed_at <= c.now - ${everyMs} * interval '1 millisecond')
  `.execute(trx);
  const now = due.rows[0]?.now;
  if (now === undefined || tip.position === 0) return undefined;
  const { instance, position, lastAuditId, hash } = tip;
  const head = signHead({ instance, position, lastAuditId, hash: hash.toString("hex"), sealedAt: now }, key);
  await sql`
    INSERT INTO audit_heads (position, sealed_at, last_audit_id, hash, signature, key_id)
    VALUES (${position}, ${now}::timestamptz, ${lastAuditId}, ${hash}, ${Buffer.from(head.signature, "base64")}, ${key.id})
  `.execute(trx);
  return head;
}

/**
 * Seals the audit trail: each row joins a chain of hashes in the order in which the sealer first sees it. Ids are given
 * before commit, so a row may appear behind one with a higher id; it is then sealed after it, and readers of the
 * outbox, who follow the chain and not the ids, miss nothing.
 */
export function createSealer(options: SealerOptions): Sealer {
  const { ledger, signingKey, batch = 2_000, everyMs = 250, headEveryMs = 60_000 } = options;
  const { onTrouble = () => undefined, onRecovered = () => undefined } = options;
  // Apart from each other: many rounds of sealing lie between two heads.
  const sealing = createTroubleSpell({ onTrouble, onRecovered });
  const sending = createTroubleSpell({ onTrouble, onRecovered });
  let floor = "0";

  async function runOnce(): Promise<SealResult> {
    const done = await ledger.db
      .transaction()
      .setIsolationLevel("read committed")
      .execute(async (trx) => {
        const turn = await sql<{ had: boolean }>`SELECT pg_try_advisory_xact_lock(${locks.seal}) AS had`.execute(trx);
        if (turn.rows[0]?.had !== true) return undefined;
        // Taken before the rows are read: whatever is older than this is visible to the statement below.
        const horizon = await sql<{
          xmin: string;
        }>`SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin`.execute(trx);
        const rows = await takeUnsealed(trx, floor, batch);
        const before = await readTip(trx);
        const tip = rows.length > 0 ? await seal(trx, before, rows) : before;
        const head = await signWhenDue(trx, tip, signingKey, headEveryMs);
        return { rows: rows.length, head, floor: rows.length < batch ? (horizon.rows[0]?.xmin ?? floor) : floor };
      });
    if (done === undefined) return { hadTurn: false, sealed: 0 };
    floor = done.floor;
    if (done.head !== undefined) await options.onHead?.(done.head).then(sending.worked, sending.failed);
    return { hadTurn: true, sealed: done.rows, ...(done.head === undefined ? {} : { head: done.head }) };
  }

  const rounds = createRounds(async () => ((await runOnce()).sealed >= batch ? 0 : everyMs), {
    spell: sealing,
    afterFailureMs: everyMs * 4,
  });
  return { runOnce, ...rounds };
}
