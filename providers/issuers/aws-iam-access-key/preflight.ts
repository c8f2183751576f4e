import { OperatorNeededError } from "../../../domain/errors.ts";
import type { Finding, PreflightRequest } from "../../contract/issuer.ts";
import { rightMissing } from "../../systems/aws/api-error.ts";
import { callerOf, notAllowed, userNameIn } from "../../systems/aws/identity.ts";
import { strayFinding } from "./strays.ts";
import { survey, type Scope } from "./survey.ts";
import { actions, arnOf, type ManagedUser } from "./user.ts";

const ownPrincipal = (name: string): OperatorNeededError =>
  new OperatorNeededError(
    "principal_is_connection",
    `The connection's own access key belongs to the IAM user ${name}, whose keys it is to rotate: it could lock itself out. Make a user for rekey, and give the connection its key; then retry.`,
  );

/** Also sees that the key leads to the account that the connection names. Names of users differ by more than case. */
export async function refuseOwnPrincipal({ aws, name }: ManagedUser): Promise<string> {
  const { arn } = await callerOf(aws);
  if (userNameIn(arn)?.toLowerCase() === name.toLowerCase()) throw ownPrincipal(name);
  return arn;
}

/** Changes nothing. */
export async function preflight(scope: Scope, request: PreflightRequest): Promise<readonly Finding[]> {
  const { user } = scope;
  try {
    const own = await refuseOwnPrincipal(user);
    const resource = await arnOf(user);
    const missing = await notAllowed(
      user.aws,
      own,
      actions.map((action) => ({ action, resource })),
    );
    if (missing !== undefined && missing.length > 0) return missing.map(rightMissing).map(asFinding);
    const found = strayFinding(scope, await survey(scope), request);
    return found === undefined ? [] : [found];
  } catch (error) {
    if (error instanceof OperatorNeededError) return [asFinding(error)];
    throw error;
  }
}

const asFinding = ({ code, detail }: Finding): Finding => ({ code, detail });
