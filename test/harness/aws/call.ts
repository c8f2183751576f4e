import type { Caller } from "./authenticate.ts";
import { sharedFault, type Protocol } from "./fault.ts";
import type { Identities } from "./identities.ts";
import { decide, type Context } from "./policy.ts";
import type { Secrets } from "./secrets.ts";
import type { FakeAwsSettings } from "./settings.ts";
import type { Staleness } from "./staleness.ts";

/** One call that has been let in, and what its operation may use. */
export interface Call {
  readonly caller: Caller;
  readonly endpoint: number;
  readonly identities: Identities;
  readonly secrets: Secrets;
  readonly staleness: Staleness;
  readonly settings: FakeAwsSettings;
}

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html */
export const contextOf = ({ caller }: Pick<Call, "caller">): Context => ({ "aws:RequestedRegion": caller.region });

/**
 * Throws unless a policy of the caller allows it.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
 */
export function permit({ caller }: Call, protocol: Protocol, action: string, resource: string): void {
  const decision = decide(caller.user.policies, action, resource, contextOf({ caller }));
  if (decision === "allowed") return;
  const why =
    decision === "explicitDeny"
      ? "with an explicit deny in an identity-based policy"
      : `because no identity-based policy allows the ${action} action`;
  throw sharedFault(
    "accessDenied",
    protocol,
    `User: ${caller.user.arn} is not authorized to perform: ${action} on resource: ${resource} ${why}`,
  );
}
