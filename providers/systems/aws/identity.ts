import type { EvaluationResult } from "@aws-sdk/client-iam";
import { OperatorNeededError } from "../../../domain/errors.ts";
import type { ConnectionLook } from "../../contract/connection.ts";
import type { Finding } from "../../contract/issuer.ts";
import { askUnless, askWithTime } from "./ask.ts";
import { holderOf, iamOf, stsOf, type Aws } from "./aws.ts";
import type { AwsCall } from "./api-error.ts";

export interface Caller {
  readonly account: string;
  /** `arn:aws:iam::123456789012:user/path/name` */
  readonly arn: string;
  readonly at: string;
}

/** Who the connection's key belongs to. Throws `account_unknown` where that is not the account the connection names. */
export async function callerOf(aws: Aws): Promise<Caller> {
  const { account } = aws.settings;
  const { what } = holderOf(aws.codes);
  // https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
  const call = { action: "sts:GetCallerIdentity", resource: "*" };
  const { answer, at } = await askWithTime(aws, call, async (via) => {
    const { GetCallerIdentityCommand } = await import("@aws-sdk/client-sts");
    return (await stsOf(aws)).send(new GetCallerIdentityCommand({}), via);
  });
  const { Account = "", Arn = "" } = answer ?? {};
  if (Account !== account)
    throw new OperatorNeededError(
      "account_unknown",
      `The ${what}'s access key belongs to ${/^\d{12}$/.test(Account) ? `account ${Account}` : "no account that can be read"}, and the ${what} names ${account}. Correct account of the ${what}, or give it a key of that account, then retry.`,
    );
  return { account: Account, arn: Arn, at: at ?? new Date().toISOString() };
}

/** The IAM user's name; undefined for the root user and for roles. */
export const userNameIn = (arn: string): string | undefined => /:user\/(?:.*\/)?([^/]+)$/.exec(arn)?.[1];

type Simulated = "allowed" | "denied" | "unknown";

/**
 * Without what a condition asks about (a time, an address, a tag) the simulator judges as if it did not hold, and says so:
 * beside the decision for "*", below the resource for any other.
 */
function judged({
  EvalDecision,
  MissingContextValues = [],
  ResourceSpecificResults = [],
}: EvaluationResult): Simulated {
  if (EvalDecision === "allowed") return "allowed";
  const unmet = [
    MissingContextValues,
    ...ResourceSpecificResults.map((each) => each.MissingContextValues ?? []),
  ].flat();
  return unmet.length > 0 ? "unknown" : "denied";
}

/** What IAM's own simulator says of some calls on one resource; undefined where the user may not ask it. */
async function simulated(aws: Aws, arn: string, actions: readonly string[], resource: string) {
  const client = await iamOf(aws);
  const { SimulatePrincipalPolicyCommand } = await import("@aws-sdk/client-iam");
  const asked = { PolicySourceArn: arn, ActionNames: [...actions], ResourceArns: [resource] };
  const call = { action: "iam:SimulatePrincipalPolicy", resource: arn };
  const found = new Map<string, Simulated>();
  let next: string | undefined;
  do {
    const command = new SimulatePrincipalPolicyCommand(next === undefined ? asked : { ...asked, Marker: next });
    const answer = await askUnless(aws, call, ["AccessDenied"], async (via) => client.send(command, via));
    if (answer === undefined) return undefined;
    for (const each of answer.EvaluationResults ?? [])
      if (each.EvalActionName !== undefined) found.set(each.EvalActionName, judged(each));
    next = answer.IsTruncated === true ? answer.Marker : undefined;
  } while (next !== undefined);
  return found;
}

/**
 * Of these, the calls that the policies of the connection's user do not allow, whatever the circumstances; undefined where
 * it may not ask. The resource is one that is there: an ARN with a pattern in it fits no policy that names the secret itself.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
 */
export async function notAllowed(
  aws: Aws,
  arn: string,
  calls: readonly AwsCall[],
): Promise<readonly AwsCall[] | undefined> {
  if (userNameIn(arn) === undefined) return undefined;
  const missing: AwsCall[] = [];
  for (const [resource, those] of Map.groupBy(calls, (each) => each.resource)) {
    const actions = those.map(({ action }) => action);
    const found = await simulated(aws, arn, actions, resource);
    if (found === undefined) return undefined;
    missing.push(...those.filter(({ action }) => found.get(action) === "denied"));
  }
  return missing;
}

/** A right that no connection of rekey's needs: whoever has it can make itself administrator. */
const farTooMuch: AwsCall = { action: "iam:AttachUserPolicy", resource: "*" };

/** Whether the user may far more than it needs. */
async function rightsFindings(aws: Aws, arn: string): Promise<readonly Finding[]> {
  const whoever =
    "Whoever gets its key could do anything in the account. Make an IAM user that may only do what docs/aws.md lists, and give the connection its key.";
  if (arn.endsWith(":root"))
    return [{ code: "right_unneeded", detail: `The connection's access key is the root user's. ${whoever}` }];
  const { action, resource } = farTooMuch;
  const found = userNameIn(arn) === undefined ? undefined : await simulated(aws, arn, [action], resource);
  if (found?.get(action) !== "allowed") return [];
  return [{ code: "right_unneeded", detail: `The connection's IAM user may attach policies to users. ${whoever}` }];
}

/** Longer, and the way to a refused signature is short. Milliseconds. */
const muchSkewMs = 60_000;

/** Logs in with the connection's own key and looks. */
export async function lookAtAccount(aws: Aws): Promise<ConnectionLook> {
  const { account, arn, at } = await callerOf(aws);
  const skew = Math.abs(Date.parse(at) - Date.now());
  const findings: Finding[] = [...(await rightsFindings(aws, arn))];
  if (skew > muchSkewMs)
    findings.push({
      code: "clock_skewed",
      detail: `This worker's clock differs from AWS's by ${Math.round(skew / 1000)} seconds; from five minutes on, calls are refused. Set it by a time server.`,
    });
  return {
    identity: identityOf(account),
    about: `AWS account ${account}, region ${aws.settings.region}, as ${arn}`,
    at,
    findings,
  };
}

export const identityOf = (account: string): string => `aws:${account}`;
