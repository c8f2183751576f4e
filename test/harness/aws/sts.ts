import type { IamOperation } from "./iam-keys.ts";

/** Needs no right: not even a deny takes it away. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html */
const GetCallerIdentity: IamOperation = ({ caller, identities }) => ({
  Arn: caller.user.arn,
  UserId: caller.user.id,
  Account: identities.account,
});

export const stsOperations = { GetCallerIdentity };
