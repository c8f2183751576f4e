import { sql, type Transaction } from "kysely";
import {
  chainHash,
  exactTime,
  genesisHash,
  isHeadGenuine,
  type AuditHead,
  type ChainRow,
  type PublicKeys,
} from "./audit-chain.ts";
import type { Ledger } from "./database.ts";
import type { Tables } from "./tables.ts";

/** What is wrong with the first bad row. */
export const auditFaults = {
  changed: "the row is not what was sealed",
  missing: "the row was sealed and is gone",
  "seal missing": "the row's seal is gone",
  "chain broken": "the seal does not follow from the one before it",
  "head signature bad": "the signed head was not made by the signing key, or was changed",
  "head mismatch": "the signed head is for another chain",
  "shorter than anchor": "the chain ends before the anchor's position",
  "differs from anchor": "the chain has another hash at the anchor's position",
} as const;
export type AuditFault = keyof typeof auditFaults;

export type AuditVerdict =
  /** `unsealed` rows are too new to have a seal; many or old ones mean that no sealer runs. */
  | { readonly ok: true; readonly count: number; readonly heads: number; readonly unsealed: number }
  | { readonly ok: false; readonly fault: AuditFault; readonly rowId: number; readonly position: number };

type Bad = Extract<AuditVerdict, { ok: false }>;
const bad = (fault: AuditFault, rowId: number, position: number): Bad => ({ ok: false, fault, rowId, position });

interface SealedRow {
  readonly position: number;
  readonly auditId: number;
  readonly previous: Buffer;
  readonly hash: Buffer;
  readonly row: ChainRow | undefined;
}

const page = 5_000;

async function readSealed(trx: Transaction<Tables>, after: number): Promise<readonly SealedRow[]> {
  const rows = await trx
    .selectFrom("audit_seals as s")
    .leftJoin("audit as a", "a.id", "s.audit_id")
    .where("s.position", ">", after)
    .orderBy("s.position")
    .limit(page)
    .select(["s.position", "s.audit_id", "s.previous_hash", "s.hash"])
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
  return rows.map(({ position, audit_id: auditId, previous_hash: previous, hash, ...rest }) => {
    const { id, actor, action, details } = rest;
    const isPresent = id !== null && actor !== null && action !== null && details !== null;
    return { position, auditId, previous, hash, row: isPresent ? { ...rest, id, actor, action, details } : undefined };
  });
}

async function readHeads(trx: Transaction<Tables>, instance: string): Promise<readonly AuditHead[]> {
  const rows = await trx
    .selectFrom("audit_heads")
    .orderBy("position")
    .select(["position", "last_audit_id", "hash", "signature", "key_id", exactTime("sealed_at").as("sealedAt")])
    .execute();
  return rows.map((row) => ({
    instance,
    position: row.position,
    lastAuditId: row.last_audit_id,
    hash: row.hash.toString("hex"),
    sealedAt: row.sealedAt,
    signature: row.signature.toString("base64"),
    keyId: row.key_id,
  }));
}

/** Rows without a seal, oldest first: new ones, or those whose seal somebody deleted. */
async function readUnsealed(trx: Transaction<Tables>): Promise<{ count: number; first: number | undefined }> {
  const { rows } = await sql<{ count: number; first: number | null }>`
    SELECT count(*) AS count, min(a.id) AS first FROM audit AS a
    WHERE NOT EXISTS (SELECT FROM audit_seals AS s WHERE s.audit_id = a.id)`.execute(trx);
  return { count: rows[0]?.count ?? 0, first: rows[0]?.first ?? undefined };
}

function checkLink(
  sealed: SealedRow,
  previous: Buffer,
  expected: number,
  unsealed: number | undefined,
): Bad | undefined {
  if (sealed.position !== expected)
    // A row with a higher id is merely new: then the row went together with its seal, and only the place is known.
    return unsealed === undefined || unsealed > sealed.auditId
      ? bad("chain broken", sealed.auditId, expected)
      : bad("seal missing", unsealed, expected);
  if (!sealed.previous.equals(previous)) return bad("chain broken", sealed.auditId, expected);
  if (sealed.row === undefined) return bad("missing", sealed.auditId, expected);
  if (!chainHash(previous, sealed.row).equals(sealed.hash)) return bad("changed", sealed.auditId, expected);
  return undefined;
}

async function walk(trx: Transaction<Tables>, keys: PublicKeys, anchor: AuditHead | undefined): Promise<AuditVerdict> {
  const { id: instance } = await trx.selectFrom("instance").select("id").executeTakeFirstOrThrow();
  if (anchor !== undefined && !isHeadGenuine(anchor, keys))
    return bad("head signature bad", anchor.lastAuditId, anchor.position);
  if (anchor !== undefined && anchor.instance !== instance)
    return bad("differs from anchor", anchor.lastAuditId, anchor.position);
  const unsealed = await readUnsealed(trx);
  const heads = await readHeads(trx, instance);
  const waiting = [...heads];
  let hash = genesisHash(instance);
  let count = 0;
  for (;;) {
    const rows = await readSealed(trx, count);
    for (const sealed of rows) {
      const fault = checkLink(sealed, hash, count + 1, unsealed.first);
      if (fault !== undefined) return fault;
      ({ hash } = sealed);
      count += 1;
      while (waiting[0]?.position === count) {
        const head = waiting.shift();
        if (head === undefined) break;
        if (!isHeadGenuine(head, keys)) return bad("head signature bad", sealed.auditId, count);
        if (head.hash !== hash.toString("hex") || head.lastAuditId !== sealed.auditId)
          return bad("head mismatch", sealed.auditId, count);
      }
      if (anchor?.position === count && anchor.hash !== hash.toString("hex"))
        return bad("differs from anchor", sealed.auditId, count);
    }
    if (rows.length < page) break;
  }
  // A head left over signs a position that the chain no longer reaches (or, below its end, never had).
  const [left] = waiting;
  if (left !== undefined) {
    if (!isHeadGenuine(left, keys)) return bad("head signature bad", left.lastAuditId, left.position);
    return unsealed.first === undefined || unsealed.first > left.lastAuditId
      ? bad("missing", left.lastAuditId, left.position)
      : bad("seal missing", unsealed.first, count + 1);
  }
  if (anchor !== undefined && anchor.position > count)
    return bad("shorter than anchor", anchor.lastAuditId, anchor.position);
  return { ok: true, count, heads: heads.length, unsealed: unsealed.count };
}

/**
 * Checks every row against its seal, every seal against the one before it, every signed head, and the anchor: a head
 * that was exported earlier. Stops at the first bad row and names it. Reads one snapshot, so a running sealer is no fault.
 */
export function verifyAudit(ledger: Ledger, keys: PublicKeys, anchor?: AuditHead): Promise<AuditVerdict> {
  return ledger.db
    .transaction()
    .setIsolationLevel("repeatable read")
    .setAccessMode("read only")
    .execute((trx) => walk(trx, keys, anchor));
}
