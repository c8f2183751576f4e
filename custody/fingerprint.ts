import { createHmac, timingSafeEqual } from "node:crypto";
import type { Secret } from "../providers/contract/secret.ts";
import type { KeyRing, NamedKey } from "./key-file.ts";

/** A keyed digest of one secret field, `<key id>:<hex>`. For the ledger only; never shown or logged. */
export type Fingerprint = string;

export interface Fingerprints {
  of(secret: Secret<string>): Fingerprint;
  /** One under each key that is held: whichever of them the ledger has, it is found. */
  every(secret: Secret<string>): readonly Fingerprint[];
  /** Of the keys that are held: what was made under another cannot be compared with anything. */
  readonly keyIds: readonly string[];
  /** Undefined when the fingerprint was made under a key that is not held any more, so nothing can be said. */
  isOf(secret: Secret<string>, fingerprint: Fingerprint): boolean | undefined;
}

function digest({ id, key }: NamedKey, secret: Secret<string>): Buffer {
  return createHmac("sha256", key).update(`rekey/fingerprint/v1\n${id}\n`).update(secret.reveal(), "utf8").digest();
}

/** `keys` serve nothing else: whoever could use them elsewhere could guess short values offline. */
export function createFingerprints(keys: KeyRing): Fingerprints {
  const under = (key: NamedKey, secret: Secret<string>): Fingerprint =>
    `${key.id}:${digest(key, secret).toString("hex")}`;
  return {
    of: (secret) => under(keys.newest, secret),
    every: (secret) => keys.all.map((key) => under(key, secret)),
    keyIds: keys.all.map(({ id }) => id),
    isOf(secret, fingerprint) {
      const [id = "", hex = ""] = fingerprint.split(":");
      const key = keys.find(id);
      if (key === undefined) return undefined;
      const stored = Buffer.from(hex, "hex");
      return stored.length === 32 && timingSafeEqual(stored, digest(key, secret));
    },
  };
}
