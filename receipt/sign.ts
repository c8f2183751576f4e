import { sign, verify, type KeyObject } from "node:crypto";
import { canonicalText, digestsOf } from "./parts.ts";
import { receiptFormat, type ReceiptBody, type SignedReceipt } from "./shape.ts";

export interface ReceiptKey {
  readonly id: string;
  readonly privateKey: KeyObject;
}

/** The bytes that are signed: the format as context, then who signs and the digests of all that is said. */
function signedBytes(keyId: string, digests: Readonly<Record<string, string>>): Buffer {
  return Buffer.from(`${receiptFormat}\n${canonicalText({ digests, keyId })}`, "utf8");
}

export function signReceipt(receipt: ReceiptBody, { id: keyId, privateKey }: ReceiptKey): SignedReceipt {
  const digests = digestsOf(receipt);
  const value = sign(null, signedBytes(keyId, digests), privateKey).toString("base64");
  return { format: receiptFormat, receipt, digests, signature: { algorithm: "Ed25519", keyId, value } };
}

export interface SignatureClaim {
  readonly keyId: string;
  /** Base64. */
  readonly value: string;
  readonly digests: Readonly<Record<string, string>>;
}

export function isSignatureOf(key: KeyObject, { keyId, value, digests }: SignatureClaim): boolean {
  const bytes = Buffer.from(value, "base64");
  // Base64 has spare bits: another text of the same bytes was not written by us.
  return bytes.toString("base64") === value && verify(null, signedBytes(keyId, digests), key, bytes);
}

/** The document as it is kept: what could turn a line round or hide in it is written as an escape. */
export function receiptText(document: SignedReceipt): string {
  const escape = (found: string) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `${JSON.stringify(document, undefined, 2).replaceAll(/[\p{Cf}\p{Co}\u2028\u2029\u007f-\u009f]/gu, (found) =>
    found.split("").map(escape).join(""),
  )}\n`;
}
