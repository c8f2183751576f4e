import { createCipheriv, createDecipheriv, randomBytes, type KeyObject } from "node:crypto";
import { OperatorNeededError } from "../domain/errors.ts";
import type { CustodyRow } from "../ledger/custody-rows.ts";
import { custodyKey, type CustodyRef } from "./custody.ts";
import { keyCheck, type KeyRing, type NamedKey } from "./key-file.ts";

const format = 1;
const tagLength = 16;

/** Everything a value stays tied to. A JSON array of strings has one reading only. */
function valueAad({ instance, credential, row, version, purpose, binding }: CustodyRef): Buffer {
  const parts = ["rekey/custody", `${format}`, instance, credential, row, `${version}`, purpose, binding ?? ""];
  return Buffer.from(JSON.stringify(parts), "utf8");
}

function wrapAad(ref: CustodyRef, keyId: string): Buffer {
  return Buffer.concat([Buffer.from(JSON.stringify(["wrap", ref.pool, keyId]), "utf8"), valueAad(ref)]);
}

/** AES-256-GCM; the tag stands at the end. A nonce serves once: the caller draws it at random for each write. */
function encrypt(key: KeyObject | Buffer, nonce: Buffer, aad: Buffer, plain: Buffer): Buffer {
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: tagLength }).setAAD(aad);
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined when key, nonce, AAD or a byte is not what it was. */
function decrypt(key: KeyObject | Buffer, nonce: Buffer, aad: Buffer, sealed: Buffer): Buffer | undefined {
  if (sealed.length <= tagLength) return undefined;
  try {
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagLength }).setAAD(aad);
    decipher.setAuthTag(sealed.subarray(-tagLength));
    return Buffer.concat([decipher.update(sealed.subarray(0, -tagLength)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Seals bytes twice: under a data key of their own, and that key under the key-encryption key. */
export function sealBytes(ref: CustodyRef, plain: Buffer, kek: NamedKey): CustodyRow {
  const dataKey = randomBytes(32);
  const wrapNonce = randomBytes(12);
  const nonce = randomBytes(12);
  try {
    return {
      key: custodyKey(ref),
      format,
      keyId: kek.id,
      keyCheck: keyCheck(kek),
      wrapNonce,
      wrappedKey: encrypt(kek.key, wrapNonce, wrapAad(ref, kek.id), dataKey),
      nonce,
      ciphertext: encrypt(dataKey, nonce, valueAad(ref), plain),
    };
  } finally {
    dataKey.fill(0);
  }
}

function altered(ref: CustodyRef, keyId: string): OperatorNeededError {
  const where = `The value of version ${ref.version} of ${ref.credential} (key ${keyId})`;
  const advice =
    ref.binding === undefined
      ? "it was swapped with another row or altered. Restore the row, or rotate the credential."
      : "its connection's address, TLS or login settings changed, or it was swapped or altered. Give the secret again.";
  return new OperatorNeededError("custody_unreadable", `${where} does not belong where it lies: ${advice}`);
}

/** The inverse of `sealBytes`; says which key is missing or wrong, and when a row lies where it does not belong. */
export function openBytes(ref: CustodyRef, row: CustodyRow, keys: KeyRing): Buffer {
  if (row.format !== format)
    throw new OperatorNeededError(
      "custody_unreadable",
      `The value has format ${row.format}, which only a newer release can open.`,
    );
  const kek = keys.find(row.keyId);
  if (kek === undefined)
    throw new OperatorNeededError(
      "custody_key_missing",
      `The key file lacks the key ${row.keyId}. Put that key back into it and restart.`,
    );
  if (!keyCheck(kek).equals(row.keyCheck))
    throw new OperatorNeededError(
      "custody_unreadable",
      `The key ${row.keyId} in the key file is not the one that sealed this value. Restore the right key file.`,
    );
  const dataKey = decrypt(kek.key, row.wrapNonce, wrapAad(ref, row.keyId), row.wrappedKey);
  if (dataKey === undefined) throw altered(ref, row.keyId);
  const plain = decrypt(dataKey, row.nonce, valueAad(ref), row.ciphertext);
  dataKey.fill(0);
  if (plain === undefined) throw altered(ref, row.keyId);
  return plain;
}
