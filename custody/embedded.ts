import { PermanentError, RekeyError } from "../domain/errors.ts";
import type { CustodyRow, CustodyRows } from "../ledger/custody-rows.ts";
import type { Value } from "../providers/contract/value.ts";
import { custodyKey, type Custody, type CustodyAnswer, type CustodyEntry, type CustodyRef } from "./custody.ts";
import { openBytes, sealBytes } from "./envelope.ts";
import type { KeyRing } from "./key-file.ts";
import { decodeValue, encodeValue } from "./value-encoding.ts";

export interface EmbeddedCustodyOptions {
  readonly rows: CustodyRows;
  /** Key-encryption keys; they serve nothing else. */
  readonly keys: KeyRing;
}

function orThrow(answer: CustodyAnswer): Value | undefined {
  if (answer instanceof RekeyError) throw answer;
  return answer;
}

/** Keeps values in the ledger, sealed under keys that the ledger never sees. */
export function createEmbeddedCustody({ rows, keys }: EmbeddedCustodyOptions): Required<Custody> {
  function sealValue(ref: CustodyRef, value: Value): CustodyRow {
    const plain = encodeValue(value);
    const row = sealBytes(ref, plain, keys.newest);
    plain.fill(0);
    return row;
  }

  function openRow(ref: CustodyRef, row: CustodyRow | undefined): CustodyAnswer {
    if (row === undefined) return undefined;
    try {
      const plain = openBytes(ref, row, keys);
      const value = decodeValue(plain);
      plain.fill(0);
      return value;
    } catch (error) {
      if (error instanceof RekeyError) return error;
      throw error;
    }
  }

  async function getMany(refs: readonly CustodyRef[]): Promise<readonly CustodyAnswer[]> {
    const found = await rows.find(refs.map(custodyKey));
    return refs.map((ref) => openRow(ref, found.get(custodyKey(ref))));
  }

  // What a caller gets back is always what was read, never what was sent: that is also the read-back after the write.
  async function putManyIfAbsent(entries: readonly CustodyEntry[]): Promise<readonly CustodyAnswer[]> {
    await rows.insertAbsent(entries.map(({ ref, value }) => sealValue(ref, value)));
    const answers = await getMany(entries.map(({ ref }) => ref));
    return answers.map(
      (answer) => answer ?? new PermanentError("custody_missing", "The value was forgotten while it was being stored."),
    );
  }

  return {
    putManyIfAbsent,
    getMany,
    forgetMany: (refs) => rows.remove(refs.map(custodyKey)),
    async putIfAbsent(ref, value) {
      const [answer] = await putManyIfAbsent([{ ref, value }]);
      const winner = orThrow(answer);
      if (winner === undefined) throw new PermanentError("custody_missing", "Custody did not keep the value.");
      return winner;
    },
    async get(ref) {
      const [answer] = await getMany([ref]);
      return orThrow(answer);
    },
    forget: (ref) => rows.remove([custodyKey(ref)]),
  };
}
