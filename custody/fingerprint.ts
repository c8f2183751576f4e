import { createHmac, timingSafeEqual } from "node:crypto";
import type { Secret } from "../providers/contract/secret.ts";
import type { KeyRing, NamedKey } from "./key-file.ts";

/** A keyed digest of one secret field, `<key id>:<hex>`. For the ledger only; never shown or logged. */
export type Fingerprint = string;

export interface Fingerprints {
  of(secret: Secret<string>): Fingerprint;
  /** Undefined when the fingerprint was made under a key that is not held any more, so nothing can be said. */
  isOf(secret: Secret<string>, fingerprint: Fingerprint): boolean | undefined;
}

function digest({ id, key }: NamedKey, secret: Secret<string>): Buffer {
  return createHmac("sha256", key).update(`rekey/fingerprint/v1\n${id}\n`).update(secret.reveal(), "utf8").digest();
}

/** `keys` serve nothing else: whoever could use them elsewhere could guess short values offline. */
export function createFingerprints(keys: KeyRing): Fingerprints {
  return {
    of: (secret) => `${keys.newest.id}:${digest(keys.newest, secret).toString("hex")}`,
    isOf(secret, fingerprint) {
      const [id = "", hex = ""] = fingerprint.split(":");
      const key = keys.find(id);
      if (key === undefined) return undefined;
      const stored = Buffer.from(hex, "hex");
      return stored.length === 32 && timingSafeEqual(stored, digest(key, secret));
    },
  };
}
