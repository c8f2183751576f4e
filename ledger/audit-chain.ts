import { createHash, createPrivateKey, createPublicKey, sign, verify, KeyObject } from "node:crypto";
import canonicalize from "canonicalize";
import { sql, type RawBuilder } from "kysely";

/** One audit row as it is hashed. `at` is UTC text with microseconds, so that no digit escapes the seal. */
export interface ChainRow {
  readonly id: number;
  readonly at: string;
  readonly credentialId: string | null;
  readonly rotationId: string | null;
  readonly actor: string;
  readonly action: string;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What is signed, exported and later given to `audit verify --anchor`. Digests in hex, signature in base64. */
export interface AuditHead {
  readonly instance: string;
  readonly position: number;
  readonly lastAuditId: number;
  readonly hash: string;
  readonly sealedAt: string;
  readonly signature: string;
  readonly keyId: string;
}

export interface SigningKey {
  readonly id: string;
  readonly privateKey: KeyObject;
}

/** RFC 8785, so that anyone can compute the same bytes with another program. */
function canonicalBytes(value: unknown): Buffer {
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError("the value has no canonical form");
  return Buffer.from(text, "utf8");
}

/** The hash before the first row: bound to the instance, so that chains of two instances never fit together. */
export function genesisHash(instance: string): Buffer {
  return createHash("sha256").update(`rekey/audit/v1\n${instance}`).digest();
}

/** SHA-256 over the previous hash (32 bytes) followed by the row's canonical JSON. */
export function chainHash(previous: Buffer, row: ChainRow): Buffer {
  return createHash("sha256").update(previous).update(canonicalBytes(row)).digest();
}

function headBytes(head: Omit<AuditHead, "signature">): Buffer {
  const { instance, position, lastAuditId, hash, sealedAt, keyId } = head;
  return canonicalBytes({ format: "rekey/audit-head/v1", instance, position, lastAuditId, hash, sealedAt, keyId });
}

export function signHead(head: Omit<AuditHead, "signature" | "keyId">, key: SigningKey): AuditHead {
  const named = { ...head, keyId: key.id };
  return { ...named, signature: sign(null, headBytes(named), key.privateKey).toString("base64") };
}

/** Public keys by id: a chain outlives the key that signed its beginning. */
export type PublicKeys = KeyObject | ReadonlyMap<string, KeyObject>;

export function isHeadGenuine(head: AuditHead, keys: PublicKeys): boolean {
  const key = keys instanceof KeyObject ? keys : keys.get(head.keyId);
  return key !== undefined && verify(null, headBytes(head), key, Buffer.from(head.signature, "base64"));
}

// RFC 8410: the fixed beginning of an Ed25519 private key in PKCS #8; the 32 bytes of seed follow.
const pkcs8Ed25519 = Buffer.from("302e020100300506032b657004220420", "hex");

/** An Ed25519 signing key from the 32 bytes kept in a key file. */
export function signingKeyFrom(id: string, seed: Uint8Array): SigningKey & { readonly publicKey: KeyObject } {
  const key = Buffer.concat([pkcs8Ed25519, seed]);
  const privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
  key.fill(0);
  return { id, privateKey, publicKey: createPublicKey(privateKey) };
}

/** SQL for `ChainRow.at` and `AuditHead.sealedAt`, independent of the session's time zone. */
export function exactTime(column: string): RawBuilder<string> {
  return sql<string>`to_char(${sql.ref(column)} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}
