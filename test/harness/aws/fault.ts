/** How a service answers: IAM and STS in XML, Secrets Manager in JSON. They name the same refusals differently. */
export type Protocol = "query" | "json";

/** A refusal as AWS answers it. */
export class AwsFault extends Error {
  readonly code: string;
  readonly status: number;
  constructor(code: string, status: number, message: string) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/**
 * What every service refuses alike: code and status of each protocol.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/CommonErrors.html
 */
const shared = {
  accessDenied: { query: ["AccessDenied", 403], json: ["AccessDeniedException", 400] },
  expiredToken: { query: ["ExpiredToken", 403], json: ["ExpiredTokenException", 400] },
  incompleteSignature: { query: ["IncompleteSignature", 400], json: ["IncompleteSignatureException", 400] },
  missingAuthentication: {
    query: ["MissingAuthenticationToken", 403],
    json: ["MissingAuthenticationTokenException", 400],
  },
  throttled: { query: ["Throttling", 400], json: ["ThrottlingException", 400] },
  unknownKey: { query: ["InvalidClientTokenId", 403], json: ["UnrecognizedClientException", 400] },
  unknownOperation: { query: ["InvalidAction", 400], json: ["UnknownOperationException", 400] },
  wrongSignature: { query: ["SignatureDoesNotMatch", 403], json: ["InvalidSignatureException", 400] },
  broken: { query: ["ServiceFailure", 500], json: ["InternalServiceError", 500] },
} as const satisfies Record<string, Record<Protocol, readonly [string, number]>>;

export type SharedFault = keyof typeof shared;

export function sharedFault(fault: SharedFault, protocol: Protocol, message: string): AwsFault {
  const [code, status] = shared[fault][protocol];
  return new AwsFault(code, status, message);
}
