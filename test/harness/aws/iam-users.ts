import { AwsFault } from "./fault.ts";
import type { FakeUser } from "./identities.ts";
import { userFor, type IamOperation } from "./iam-keys.ts";
import { decide, unsaid } from "./policy.ts";
import { invalid, page } from "./query.ts";
import { permit, type Call } from "./call.ts";

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html */
const GetUser: IamOperation = (call, query) => {
  const user = userFor(call, query, "GetUser");
  return {
    User: {
      Path: user.path,
      UserName: user.name,
      UserId: user.id,
      Arn: user.arn,
      CreateDate: new Date(user.createdAtMs),
      Tags: tagsSeen(call, user).map(([Key, Value]) => ({ Key, Value })),
    },
  };
};

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserTags.html */
const ListUserTags: IamOperation = (call, query) => {
  const user = userFor(call, query, "ListUserTags");
  const { items, IsTruncated, Marker } = page(query, tagsSeen(call, user), call.settings.pageSize, ([key]) => key);
  return { Tags: items.map(([Key, Value]) => ({ Key, Value })), IsTruncated, Marker };
};

/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html and .../id_tags.html#id_tags_rules */
const mostTags = 50;
const allowed = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;

/** A key that differs only in case is the same key. https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html */
const TagUser: IamOperation = (call, query) => {
  const user = userFor(call, query, "TagUser");
  const given = query.pairs("Tags");
  if (given.length === 0) throw invalid("There are no Tags.");
  const tags = new Map(user.tags.truth());
  for (const [key, value] of given) {
    if (key === "" || key.length > 128 || value.length > 256 || !allowed.test(key) || !allowed.test(value))
      throw invalid(`The tag '${key}' is not as documented.`);
    if (/^aws:/i.test(key)) throw new AwsFault("InvalidInput", 400, "aws: prefixed tag keys are reserved.");
    for (const other of tags.keys()) if (other.toLowerCase() === key.toLowerCase()) tags.delete(other);
    tags.set(key, value);
  }
  if (tags.size > mostTags)
    throw new AwsFault("LimitExceeded", 409, `Cannot exceed quota for TagsPerUser: ${mostTags}`);
  user.tags.record(tags, call.staleness.nowMs(), call.staleness.delaysMs("listLagMs"));
  return undefined;
};

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagUser.html */
const UntagUser: IamOperation = (call, query) => {
  const user = userFor(call, query, "UntagUser");
  const gone = new Set(query.list("TagKeys").map((key) => key.toLowerCase()));
  if (gone.size === 0) throw invalid("There are no TagKeys.");
  const tags = [...user.tags.truth()].filter(([key]) => !gone.has(key.toLowerCase()));
  user.tags.record(new Map(tags), call.staleness.nowMs(), call.staleness.delaysMs("listLagMs"));
  return undefined;
};

function tagsSeen(call: Call, user: FakeUser): readonly (readonly [string, string])[] {
  return [...user.tags.seenBy(call.endpoint, call.staleness.nowMs())];
}

/**
 * Of the context nothing is known but what the caller says. What is missing is told per resource where resources were named.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html
 */
const SimulatePrincipalPolicy: IamOperation = (call, query) => {
  const source = query.required("PolicySourceArn");
  permit(call, "query", "iam:SimulatePrincipalPolicy", source);
  const user = call.identities.userByArn(source);
  if (user === undefined) throw new AwsFault("NoSuchEntity", 404, `The user with ARN ${source} cannot be found.`);
  const actions = query.list("ActionNames");
  if (actions.length === 0) throw invalid("There are no ActionNames.");
  const named = query.list("ResourceArns");
  const asked = actions.flatMap((action) =>
    (named.length === 0 ? ["*"] : named).map((resource) => ({ action, resource, id: `${action} ${resource}` })),
  );
  const { items, IsTruncated, Marker } = page(query, asked, call.settings.pageSize, ({ id }) => id);
  const missing = unsaid(user.policies, {});
  const EvaluationResults = items.map(({ action, resource }) => {
    const decision = decide(user.policies, action, resource, {});
    const result = {
      EvalActionName: action,
      EvalResourceName: resource,
      EvalDecision: decision,
      MatchedStatements: [],
    };
    if (resource === "*") return { ...result, MissingContextValues: missing };
    const specific = { EvalResourceName: resource, EvalResourceDecision: decision, MissingContextValues: missing };
    return { ...result, MissingContextValues: [], ResourceSpecificResults: [specific] };
  });
  return { EvaluationResults, IsTruncated, Marker };
};

export const userOperations = { GetUser, ListUserTags, TagUser, UntagUser, SimulatePrincipalPolicy };
