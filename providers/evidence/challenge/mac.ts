import { createHmac, timingSafeEqual } from "node:crypto";
import type { Secret } from "../../contract/secret.ts";

const label = "rekey/challenge/v1";

/** What a process vouches for with the authenticator it connects with. None of these may hold a line end. */
export interface ChallengeParts {
  readonly instance: string;
  readonly consumer: string;
  readonly instanceId: string;
  readonly nonce: string;
}

/** The key is derived, so that an answer can never be a signature for anything else that uses the authenticator. */
function challengeMac(authenticator: Secret<string>, parts: ChallengeParts): Buffer {
  const key = createHmac("sha256", authenticator.reveal()).update(label).digest();
  const text = [label, parts.instance, parts.consumer, parts.instanceId, parts.nonce].join("\n");
  return createHmac("sha256", key).update(text, "utf8").digest();
}

/** Whether the answer's MAC (base64url) was made with this authenticator for exactly these parts. */
export function verifiesMac(mac: string, authenticator: Secret<string>, parts: ChallengeParts): boolean {
  const given = Buffer.from(mac, "base64url");
  const right = challengeMac(authenticator, parts);
  return given.length === right.length && timingSafeEqual(given, right);
}

/** Below 128 bits whoever hears an answer could try values until one fits. A generated value has 6 bits a character. */
export function isStrongEnough(authenticator: Secret<string>): boolean {
  return authenticator.reveal().length >= 22;
}
