import { AwsFault } from "./fault.ts";
import type { FakeUser } from "./identities.ts";
import { invalid, page, type Query } from "./query.ts";
import { permit, type Call } from "./call.ts";
import type { XmlContent } from "./xml.ts";

export type IamOperation = (call: Call, query: Query) => XmlContent;

/** The user that is named, or the caller; checked for the right before anything is said about them. */
export function userFor(call: Call, query: Query, action: string): FakeUser {
  const name = query.optional("UserName") ?? call.caller.user.name;
  const { identities } = call;
  // What is not there has no ARN of its own: the one it would have is judged.
  const arn = `arn:aws:iam::${identities.account}:user/${name}`;
  const found = identities.find(name);
  permit(call, "query", `iam:${action}`, found?.arn ?? arn);
  return identities.user(name);
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html: the secret is shown here and never again. */
const CreateAccessKey: IamOperation = (call, query) => {
  const user = userFor(call, query, "CreateAccessKey");
  const key = call.identities.createKey(user);
  return {
    AccessKey: {
      UserName: user.name,
      AccessKeyId: key.id,
      Status: "Active",
      SecretAccessKey: key.secret,
      CreateDate: new Date(key.createdAtMs),
    },
  };
};

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html */
const ListAccessKeys: IamOperation = (call, query) => {
  const user = userFor(call, query, "ListAccessKeys");
  const known = call.identities.keysListedBy(call.endpoint, user.name);
  const { items, IsTruncated, Marker } = page(query, known, call.settings.pageSize, ([key]) => key.id);
  const AccessKeyMetadata = items.map(([key, Status]) => {
    return { UserName: user.name, AccessKeyId: key.id, Status, CreateDate: new Date(key.createdAtMs) };
  });
  return { AccessKeyMetadata, IsTruncated, Marker };
};

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html */
const UpdateAccessKey: IamOperation = (call, query) => {
  const user = userFor(call, query, "UpdateAccessKey");
  const status = query.required("Status");
  if (status !== "Active" && status !== "Inactive") throw invalid(`Value '${status}' at 'Status' is not one of them`);
  call.identities.setStatus(call.identities.ownKey(call.endpoint, user, query.required("AccessKeyId")), status);
  return undefined;
};

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html */
const DeleteAccessKey: IamOperation = (call, query) => {
  const user = userFor(call, query, "DeleteAccessKey");
  call.identities.setStatus(call.identities.ownKey(call.endpoint, user, query.required("AccessKeyId")), undefined);
  return undefined;
};

/**
 * A key that was never used has no date, and N/A for the rest.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_AccessKeyLastUsed.html
 */
const GetAccessKeyLastUsed: IamOperation = (call, query) => {
  const id = query.required("AccessKeyId");
  const key = call.identities.key(id);
  const owner = key === undefined ? undefined : call.identities.user(key.userName);
  permit(call, "query", "iam:GetAccessKeyLastUsed", owner?.arn ?? `arn:aws:iam::${call.identities.account}:user/*`);
  if (key === undefined || owner === undefined || call.identities.keysOf(owner.name).every((each) => each !== key))
    throw new AwsFault("NoSuchEntity", 404, `The Access Key with id ${id} cannot be found.`);
  const use = key.lastUse.seenBy(call.endpoint, call.staleness.nowMs());
  return {
    UserName: owner.name,
    AccessKeyLastUsed: {
      LastUsedDate: use === undefined ? undefined : new Date(use.atMs),
      ServiceName: use?.service ?? "N/A",
      Region: use?.region ?? "N/A",
    },
  };
};

export const keyOperations = {
  CreateAccessKey,
  ListAccessKeys,
  UpdateAccessKey,
  DeleteAccessKey,
  GetAccessKeyLastUsed,
};
