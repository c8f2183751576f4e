import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { canonicalText } from "./parts.ts";
import type { PinnedKey } from "./verify.ts";

/** The public half of a signing key as JSON has it, RFC 8037. */
export interface PublicJwk {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
}

/** RFC 7638: what two people compare when one hands the key to the other. */
export function thumbprint({ crv, kty, x }: PublicJwk): string {
  return createHash("sha256").update(canonicalText({ crv, kty, x }), "utf8").digest("base64url");
}

/** A block of a key file. What stands above the key is for people, and for the id; other programs pass over it. */
export function publicKeyText(id: string, jwk: PublicJwk): string {
  const pem = createPublicKey({ key: { ...jwk }, format: "jwk" }).export({ format: "pem", type: "spki" });
  return `Key-Id: ${id}\nThumbprint: ${thumbprint(jwk)}\n${String(pem).trim()}\n`;
}

const block =
  /(?:^Key-Id: *(sig_[0-9a-z]+) *\n)?(?:^[A-Za-z-]+:[^\n]*\n)*^-----BEGIN PUBLIC KEY-----\n[^-]*-----END PUBLIC KEY-----/gm;

/** The keys in a file that `rekey audit key` printed, or in any PEM file of Ed25519 public keys. None where there is none. */
export function readPublicKeys(text: string): readonly PinnedKey[] {
  return [...text.replaceAll("\r\n", "\n").matchAll(block)].flatMap(([found, id]) => {
    const key = keyFrom(found.slice(found.indexOf("-----BEGIN")));
    return key?.asymmetricKeyType === "ed25519" ? [{ id, key }] : [];
  });
}

function keyFrom(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem);
  } catch {
    return undefined;
  }
}
