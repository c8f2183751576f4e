import type { ColumnType, Generated } from "kysely";

/** A timestamp that only the ledger's clock sets. */
export type LedgerTime = ColumnType<Date, never, never>;
/** A jsonb column: read as what it holds, written as JSON text. */
export type Json<T> = ColumnType<T, string, string>;

interface InstanceTable {
  readonly singleton: Generated<boolean>;
  id: Generated<string>;
  epoch: Generated<number>;
  created_at: LedgerTime;
}

interface AuditTable {
  id: ColumnType<number, never, never>;
  at: LedgerTime;
  credential_id: string | null;
  rotation_id: string | null;
  actor: string;
  action: string;
  details: Json<Readonly<Record<string, unknown>>>;
  /** The transaction that wrote the row; tells the sealer what it cannot have missed. */
  tx: ColumnType<string, never, never>;
}

interface AuditSealsTable {
  position: number;
  audit_id: number;
  previous_hash: Buffer;
  hash: Buffer;
  sealed_at: LedgerTime;
}

interface AuditHeadsTable {
  position: number;
  sealed_at: Date;
  last_audit_id: number;
  hash: Buffer;
  signature: Buffer;
  key_id: string;
}

interface OutboxTable {
  id: ColumnType<number, never, never>;
  audit_id: number;
  event: string;
  body: Json<Readonly<Record<string, unknown>>>;
  at: LedgerTime;
}

interface CustodyValuesTable {
  key: string;
  format: number;
  key_id: string;
  key_check: Buffer;
  wrap_nonce: Buffer;
  wrapped_key: Buffer;
  nonce: Buffer;
  ciphertext: Buffer;
  created_at: LedgerTime;
}

/** The tables of 0001-base.sql. */
export interface BaseTables {
  instance: InstanceTable;
  audit: AuditTable;
  audit_seals: AuditSealsTable;
  audit_heads: AuditHeadsTable;
  outbox: OutboxTable;
  custody_values: CustodyValuesTable;
}
