import { OperatorNeededError, TransientError, type RekeyError } from "../../../domain/errors.ts";
import { holderOf, type AwsCodes } from "./aws.ts";
import { NotAnswered, type Exchange } from "./over-egress.ts";

/** One call, as people and policies name it. */
export interface AwsCall {
  /** As a policy names it: `iam:ListAccessKeys`. */
  readonly action: string;
  /** The ARN that the right has to cover; `*` where AWS knows no narrower one. */
  readonly resource: string;
  /** Whether it changes anything: then an answer that is missing is not asked for again. */
  readonly hasEffect?: boolean;
}

// The names that services give the same refusals: IAM and STS by the query protocol, Secrets Manager by JSON.
// https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
const throttled = new Set([
  "Throttling",
  "ThrottlingException",
  "ThrottledException",
  "RequestThrottled",
  "RequestThrottledException",
  "RequestLimitExceeded",
  "TooManyRequestsException",
]);
/**
 * Somebody changes the same thing at this moment; nothing was done.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html#API_TagUser_Errors
 */
const contended = new Set(["ConcurrentModification", "ConcurrentModificationException"]);
const skewed = new Set(["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"]);
const expired = new Set(["ExpiredToken", "ExpiredTokenException"]);
const denied = new Set(["AccessDenied", "AccessDeniedException", "UnauthorizedOperation"]);
const wrongSignature = new Set([
  "SignatureDoesNotMatch",
  "InvalidSignatureException",
  "IncompleteSignature",
  "IncompleteSignatureException",
]);
const unknownKey = new Set([
  "InvalidClientTokenId",
  "UnrecognizedClientException",
  "MissingAuthenticationToken",
  "MissingAuthenticationTokenException",
  "NotAuthorized",
  "OptInRequired",
]);
const wrongRegion = new Set(["RegionDisabledException", "AuthorizationHeaderMalformed"]);

/** What the SDK calls the refusal: AWS's own code, never its text. */
export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : "");

export const isThrottling = (error: unknown, { status }: Exchange): boolean =>
  throttled.has(nameOf(error)) || status === 429;

export const isContended = (error: unknown): boolean => contended.has(nameOf(error));

/**
 * AWS itself said no, so that nothing was done. An answer that is missing or cut, a failure of the service, and calls that
 * are too many leave that open, or come again by themselves.
 */
export const isRefusal = (error: unknown, exchange: Exchange): boolean => {
  const { status = 0 } = exchange;
  const isOfClient = status >= 400 && status < 500 && status !== 408;
  return isOfClient && !(error instanceof NotAnswered) && !isThrottling(error, exchange) && !isContended(error);
};

/** AWS takes signatures that are up to five minutes old; a minute is left for the way. Milliseconds. */
const mostSkewMs = 4 * 60_000;

/** Between the service's clock and ours, by the answer's own date; zero where it says none. Milliseconds. */
function skewMs({ date }: Exchange): number {
  const theirs = Date.parse(date ?? "");
  return Number.isNaN(theirs) ? 0 : Math.abs(theirs - Date.now());
}

/** A refused signature has three causes, and the code is the same: only the text tells a region apart. It is not repeated. */
const speaksOfRegion = (error: unknown): boolean =>
  error instanceof Error && /credential should be scoped to a valid region/i.test(error.message);

const statementFor = ({ action, resource }: AwsCall): string =>
  JSON.stringify({ Effect: "Allow", Action: action, Resource: resource });

const missingRight = (call: AwsCall, what: string): OperatorNeededError =>
  new OperatorNeededError(
    "right_missing",
    `The ${what}'s IAM user may not ${call.action} on ${call.resource}. Add this statement to its policy, and see that no other policy denies it; then retry:\n${statementFor(call)}`,
  );

export const rightMissing = (call: AwsCall): OperatorNeededError => missingRight(call, holderOf({}).what);

function notAnswered({ how }: NotAnswered, { action }: AwsCall, codes: AwsCodes): RekeyError {
  const what =
    how === "refused" ? "could not be reached" : how === "cut" ? "sent no whole answer" : "did not answer in time";
  return new TransientError(
    codes.unreachable,
    `AWS ${what} (${action}). It will be tried again; if that lasts, compare region, endpoints and ca of the ${holderOf(codes).what} with what the worker may reach, and look at egress.refused in the worker's log for the reason.`,
  );
}

/** Why a call did not do what was asked, in our words: the service's own could hold anything. */
export function failureOf(error: unknown, call: AwsCall, codes: AwsCodes, exchange: Exchange): RekeyError {
  if (error instanceof NotAnswered) return notAnswered(error, call, codes);
  const [name, { action }, { status = 0 }] = [nameOf(error), call, exchange];
  const { what, giveKey } = holderOf(codes);
  if (isThrottling(error, exchange))
    return new TransientError("system_throttled", `AWS asks for fewer calls (${action}). It will be tried again.`);
  if (isContended(error))
    return new TransientError(
      "system_throttled",
      `Somebody else changes ${call.resource} at this moment (${action}). It will be tried again.`,
    );
  if (skewed.has(name) || (wrongSignature.has(name) && skewMs(exchange) > mostSkewMs))
    return new OperatorNeededError(
      "clock_skewed",
      `AWS refuses the signature because this worker's clock differs from its own by ${Math.round(skewMs(exchange) / 1000)} seconds (${action}). Set the clock by a time server, then retry.`,
    );
  if (wrongRegion.has(name) || (wrongSignature.has(name) && speaksOfRegion(error)))
    return new OperatorNeededError(
      "region_wrong",
      `The endpoint serves another region than the ${what}'s (${action}), or the account has that region turned off. Correct region or endpoints of the ${what}, then retry.`,
    );
  if (expired.has(name))
    return new OperatorNeededError(
      "login_expired",
      `The ${what}'s access key belongs to a session that has ended (${action}). Give it the access key of an IAM user, which does not run out, then retry.`,
    );
  if (denied.has(name)) return missingRight(call, what);
  if (unknownKey.has(name) || wrongSignature.has(name))
    return new OperatorNeededError(
      codes.authFailed,
      `AWS refuses the ${what}'s access key (${action}): ${wrongSignature.has(name) ? "its secret is wrong" : "the key is inactive, deleted, or of another partition"}. ${giveKey} with a key that is active, then retry.`,
    );
  if (status >= 500)
    return new TransientError(
      codes.unreachable,
      `AWS failed (${status}, ${action}). It will be tried again; if that lasts, look at the AWS Health Dashboard.`,
    );
  return new OperatorNeededError(
    codes.refused,
    `AWS refuses ${action} on ${call.resource} (${status}). See that the ${what} leads to AWS and that what it names exists as it is registered, then retry.`,
  );
}
