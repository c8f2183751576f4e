import { createHash, randomBytes } from "node:crypto";

/** 256 random bits; `rk_` lets scanners of leaked secrets know it. */
export const newToken = (): string => `rk_${randomBytes(32).toString("base64url")}`;

/** What the ledger keeps of a token. Of so many random bits a plain digest gives nothing away. */
export function tokenDigest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
