import { sql, type Kysely } from "kysely";
import type { Tables } from "./tables.ts";

/** One sealed value as it rests in the ledger. */
export interface CustodyRow {
  readonly key: string;
  readonly format: number;
  readonly keyId: string;
  readonly keyCheck: Buffer;
  readonly wrapNonce: Buffer;
  readonly wrappedKey: Buffer;
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
}

export interface CustodyRows {
  /** Inserts those whose key is free; the keys that were. */
  insertAbsent(rows: readonly CustodyRow[]): Promise<ReadonlySet<string>>;
  find(keys: readonly string[]): Promise<ReadonlyMap<string, CustodyRow>>;
  remove(keys: readonly string[]): Promise<void>;
  /** How many rows need each key-encryption key; a key that none needs may be removed from its file. */
  countByKeyId(): Promise<ReadonlyMap<string, number>>;
}

const hex = (bytes: Buffer) => bytes.toString("hex");

export function createCustodyRows(db: Kysely<Tables>): CustodyRows {
  return {
    async insertAbsent(rows) {
      if (rows.length === 0) return new Set();
      const given = rows.map((row) => ({
        ...row,
        keyCheck: hex(row.keyCheck),
        wrapNonce: hex(row.wrapNonce),
        wrappedKey: hex(row.wrappedKey),
        nonce: hex(row.nonce),
        ciphertext: hex(row.ciphertext),
      }));
      // In the order of the keys, so that two processes with the same rows never wait for each other in a circle.
      const inserted = await sql<{ key: string }>`
        INSERT INTO custody_values (key, format, key_id, key_check, wrap_nonce, wrapped_key, nonce, ciphertext)
        SELECT key, format, "keyId", decode("keyCheck", 'hex'), decode("wrapNonce", 'hex'), decode("wrappedKey", 'hex'),
          decode(nonce, 'hex'), decode(ciphertext, 'hex')
        FROM jsonb_to_recordset(${JSON.stringify(given)}::jsonb) AS given (key text, format integer, "keyId" text,
          "keyCheck" text, "wrapNonce" text, "wrappedKey" text, nonce text, ciphertext text)
        ORDER BY key
        ON CONFLICT (key) DO NOTHING
        RETURNING key`.execute(db);
      return new Set(inserted.rows.map(({ key }) => key));
    },

    async find(keys) {
      if (keys.length === 0) return new Map();
      const rows = await db
        .selectFrom("custody_values")
        .where(sql<boolean>`key = ANY(${keys}::text[])`)
        .select(["key", "format", "key_id as keyId", "key_check as keyCheck", "wrap_nonce as wrapNonce"])
        .select(["wrapped_key as wrappedKey", "nonce", "ciphertext"])
        .execute();
      return new Map(rows.map((row) => [row.key, row]));
    },

    async remove(keys) {
      if (keys.length === 0) return;
      await sql`DELETE FROM custody_values WHERE key = ANY(${keys}::text[])`.execute(db);
    },

    async countByKeyId() {
      const rows = await db
        .selectFrom("custody_values")
        .groupBy("key_id")
        .select(({ fn }) => ["key_id", fn.countAll<number>().as("count")])
        .execute();
      return new Map(rows.map((row) => [row.key_id, row.count]));
    },
  };
}
