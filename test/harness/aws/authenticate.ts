import { timingSafeEqual } from "node:crypto";
import { sharedFault, type Protocol } from "./fault.ts";
import type { FakeKey, FakeUser, Identities } from "./identities.ts";
import { claimedBy, isSignedWith, stampedAtMs, type Claimed, type SignedRequest } from "./signature.ts";

/** Whom a request is from, and what it was signed for. */
export interface Caller {
  readonly user: FakeUser;
  readonly key: FakeKey;
  readonly region: string;
  readonly service: string;
}

interface Where {
  readonly endpoint: number;
  readonly service: string;
  readonly regions: readonly string[];
  readonly protocol: Protocol;
  readonly nowMs: number;
  /** How wrong the server's clock is against the one that keys are kept by. */
  readonly clockOffsetMs: number;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html */
const mostSkewMs = 300_000;

/** Every refusal in the order that AWS finds it: form, key, token, scope, time, signature. */
export function authenticate(request: SignedRequest, identities: Identities, where: Where): Caller {
  const refuse = (fault: Parameters<typeof sharedFault>[0], says: string) => sharedFault(fault, where.protocol, says);
  if (request.headers.authorization === undefined)
    throw refuse("missingAuthentication", "Request is missing Authentication Token");
  const claimed = claimedBy(request);
  if (claimed === undefined) throw refuse("incompleteSignature", "Authorization header is not as documented.");
  const key = identities.key(claimed.accessKeyId);
  // An inactive key is answered like one that does not exist.
  if (key === undefined || key.login.seenBy(where.endpoint, where.nowMs) !== "Active" || !isToken(key, claimed))
    throw refuse("unknownKey", "The security token included in the request is invalid.");
  if (key.session !== undefined && key.session.expiresAtMs <= where.nowMs)
    throw refuse("expiredToken", "The security token included in the request is expired");
  const wrong = wrongScope(claimed, where) ?? wrongTime(claimed, where);
  if (wrong !== undefined) throw refuse("wrongSignature", wrong);
  if (!isSignedWith(key.secret, request, claimed))
    throw refuse(
      "wrongSignature",
      "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
    );
  identities.noteUse(key, where.service, claimed.region);
  return { user: identities.user(key.userName), key, region: claimed.region, service: where.service };
}

function isToken({ session }: FakeKey, { sessionToken }: Claimed): boolean {
  if (session === undefined || sessionToken === undefined) return session?.token === sessionToken;
  const [right, given] = [Buffer.from(session.token), Buffer.from(sessionToken)];
  return right.length === given.length && timingSafeEqual(right, given);
}

function wrongScope({ region, service, day, stamp }: Claimed, where: Where): string | undefined {
  if (service !== where.service) return `Credential should be scoped to correct service: '${where.service}'.`;
  if (!where.regions.includes(region)) return `Credential should be scoped to a valid region, not '${region}'.`;
  return stamp.startsWith(day) ? undefined : `Date in Credential scope does not match YYYYMMDD from ISO-8601 version.`;
}

function wrongTime({ stamp }: Claimed, { nowMs, clockOffsetMs }: Where): string | undefined {
  const aheadMs = stampedAtMs(stamp) - (nowMs + clockOffsetMs);
  if (aheadMs < -mostSkewMs) return `Signature expired: ${stamp} is earlier than 5 min. ago.`;
  if (aheadMs > mostSkewMs) return `Signature not yet current: ${stamp} is still later than in 5 min.`;
  return Number.isNaN(aheadMs) ? "Date is not valid." : undefined;
}
