import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

/** One request as it came over the wire. */
export interface SignedRequest {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** What the request says of itself; nothing of it is verified yet. */
export interface Claimed {
  readonly accessKeyId: string;
  readonly day: string;
  readonly region: string;
  readonly service: string;
  readonly signedHeaders: readonly string[];
  readonly signature: string;
  /** ISO 8601 without punctuation. */
  readonly stamp: string;
  readonly sessionToken: string | undefined;
}

const form =
  /^AWS4-HMAC-SHA256 Credential=([A-Z0-9]{16,128})\/(\d{8})\/([a-z0-9-]+)\/([a-z0-9-]+)\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;

/** Undefined when the header is not of the documented form, or leaves a header unsigned that has to be. */
export function claimedBy({ headers }: SignedRequest): Claimed | undefined {
  const [, accessKeyId, day, region, service, signed, signature] = form.exec(headers.authorization ?? "") ?? [];
  const stamp = headers["x-amz-date"];
  if (accessKeyId === undefined || day === undefined || region === undefined || service === undefined) return undefined;
  if (signed === undefined || signature === undefined) return undefined;
  if (typeof stamp !== "string" || !/^\d{8}T\d{6}Z$/.test(stamp)) return undefined;
  const signedHeaders = signed.split(";");
  // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html#create-canonical-request
  const mustBeSigned = ["host", ...Object.keys(headers).filter((name) => name.startsWith("x-amz-"))];
  if (!mustBeSigned.every((name) => signedHeaders.includes(name))) return undefined;
  const token = headers["x-amz-security-token"];
  const sessionToken = typeof token === "string" ? token : undefined;
  return { accessKeyId, day, region, service, signedHeaders, signature, stamp, sessionToken };
}

/** Whether the request as it arrived was signed with the secret. */
export function isSignedWith(secret: string, request: SignedRequest, claimed: Claimed): boolean {
  const { day, region, service } = claimed;
  const toSign = ["AWS4-HMAC-SHA256", claimed.stamp, `${day}/${region}/${service}/aws4_request`];
  toSign.push(sha256(canonical(request, claimed)));
  const key = [day, region, service, "aws4_request"].reduce<Buffer>(hmac, Buffer.from(`AWS4${secret}`));
  return timingSafeEqual(hmac(key, toSign.join("\n")), Buffer.from(claimed.signature, "hex"));
}

/** When the stamp was made, as far as it says; not a number when there is no such time. */
export function stampedAtMs(stamp: string): number {
  return Date.parse(stamp.replace(/^(....)(..)(..T)(..)(..)(..Z)$/, "$1-$2-$3$4:$5:$6"));
}

function canonical({ method, headers, body }: SignedRequest, { signedHeaders }: Claimed): string {
  const lines = signedHeaders.map(
    (name) =>
      `${name}:${String(headers[name] ?? "")
        .trim()
        .replaceAll(/ +/g, " ")}\n`,
  );
  // The path is always "/", and there is no query: both are refused before.
  return [method, "/", "", lines.join(""), signedHeaders.join(";"), sha256(body)].join("\n");
}

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const hmac = (key: Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
