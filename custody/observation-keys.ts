import { createHmac } from "node:crypto";
import type { KeyRing, NamedKey } from "./key-file.ts";

/** Keys the digests with which targets are compared, and files them in the ledger. */
export interface ObservationKey {
  readonly id: string;
  readonly key: Uint8Array;
}

export interface ObservationKeys {
  /** With which digests are made from now on. */
  readonly newest: ObservationKey;
  /** Undefined when the key is not held any more: nothing can be said of what was made with it. */
  find(id: string): ObservationKey | undefined;
}

/** A digest as the ledger keeps it, `<key id>:<digest>`: it can be compared after a newer key was added. */
export function filedDigest({ id }: ObservationKey, digest: string): string {
  return `${id}:${digest}`;
}

/** The key's id and the digest made with it. */
export function readFiledDigest(filed: string): { readonly keyId: string; readonly digest: string } {
  const [keyId = "", digest = ""] = filed.split(":");
  return { keyId, digest };
}

/** Derived, so that whoever gets one of them cannot make fingerprints. */
export function createObservationKeys(keys: KeyRing): ObservationKeys {
  const derive = ({ id, key }: NamedKey): ObservationKey => ({
    id,
    key: createHmac("sha256", key).update("rekey/observation/v1").digest(),
  });
  return {
    newest: derive(keys.newest),
    find(id) {
      const found = keys.find(id);
      return found === undefined ? undefined : derive(found);
    },
  };
}
