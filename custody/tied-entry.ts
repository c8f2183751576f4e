import { OperatorNeededError } from "../domain/errors.ts";
import type { Value } from "../providers/contract/value.ts";
import type { CustodyRef } from "./custody.ts";
import { decodeValue, encodeValue } from "./value-encoding.ts";

const format = "rekey/custody/v1";

/** What lies in a store outside the ledger: a value, and all that it belongs to. */
export interface TiedEntry {
  readonly format: string;
  readonly tie: string;
  /** Base64. */
  readonly value: string;
}

/** All that a value belongs to. It lies beside the value, and is compared when that is read. */
const tieOf = ({ instance, credential, version, row, purpose, pool, binding }: CustodyRef): string =>
  JSON.stringify([instance, credential, version, row, purpose, pool, binding ?? null]);

export const tiedEntry = (ref: CustodyRef, value: Value): TiedEntry => ({
  format,
  tie: tieOf(ref),
  value: encodeValue(value).toString("base64"),
});

/**
 * The value in what was read.
 * @throws {OperatorNeededError} `custody_unreadable` unless it is an entry of this very ref; `records` says who knows more.
 */
export function untied(ref: CustodyRef, found: unknown, place: string, records: string): Value {
  const { format: of, tie, value } = (found ?? {}) as Partial<Record<keyof TiedEntry, unknown>>;
  if (of === format && tie === tieOf(ref) && typeof value === "string")
    return decodeValue(Buffer.from(value, "base64"));
  throw new OperatorNeededError(
    "custody_unreadable",
    `What lies in ${place} for this value was written for something else, or by another program. Find out in ${records} who wrote it.`,
  );
}
