import { decide } from "./policy.ts";
import { AwsFault, sharedFault } from "./fault.ts";
import { invalidParameter, invalidRequest, type JsonFields } from "./json-fields.ts";
import { contextOf, permit, type Call } from "./call.ts";
import type { FakeSecret } from "./secrets.ts";

export type SecretOperation = (call: Call, fields: JsonFields) => Readonly<Record<string, unknown>>;

/** The secret that is named, which may be one that is marked for deletion; the right is checked before it is looked for. */
export function anySecret(call: Call, fields: JsonFields, action: string): FakeSecret {
  const id = fields.required("SecretId");
  permitOn(call, action, id);
  return call.secrets.get(call.caller.region, id);
}

export function liveSecret(call: Call, fields: JsonFields, action: string): FakeSecret {
  const id = fields.required("SecretId");
  permitOn(call, action, id);
  return call.secrets.live(call.caller.region, id);
}

/** What is not there has no six characters at its end, so a pattern that asks for them does not fit it. */
export function permitOn(call: Call, action: string, id: string): void {
  const { region } = call.caller;
  const arn = call.secrets.find(region, id)?.arn ?? call.secrets.arnOf(region, id);
  permit(call, "json", `secretsmanager:${action}`, arn);
}

/** A key of the customer's needs rights of its own. https://docs.aws.amazon.com/secretsmanager/latest/userguide/security-encryption.html */
export function permitKms({ caller }: Call, keyId: string | undefined, actions: readonly string[]): void {
  if (keyId === undefined || keyId === "alias/aws/secretsmanager") return;
  if (
    actions.some((action) => decide(caller.user.policies, `kms:${action}`, keyId, contextOf({ caller })) !== "allowed")
  )
    throw sharedFault("accessDenied", "json", "Access to KMS is not allowed");
}

export const seconds = (atMs: number | undefined): number | undefined => (atMs === undefined ? undefined : atMs / 1000);
/** Dates of access are of the day alone. */
export const day = (atMs: number | undefined): number | undefined =>
  atMs === undefined ? undefined : Math.floor(atMs / 86_400_000) * 86_400;

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html: marked ones answer too. */
const DescribeSecret: SecretOperation = (call, fields) => {
  const secret = anySecret(call, fields, "DescribeSecret");
  const staged = [...secret.versions.values()].filter(({ stages }) => stages.size > 0);
  return {
    ARN: secret.arn,
    Name: secret.name,
    Description: secret.description,
    KmsKeyId: secret.kmsKeyId,
    CreatedDate: seconds(secret.createdAtMs),
    LastChangedDate: seconds(secret.changedAtMs),
    LastAccessedDate: day(secret.lastAccessedAtMs),
    DeletedDate: seconds(secret.deletion?.sinceMs),
    Tags: [...secret.tags].map(([Key, Value]) => ({ Key, Value })),
    VersionIdsToStages: Object.fromEntries(staged.map(({ id, stages }) => [id, [...stages]])),
  };
};

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html */
const DeleteSecret: SecretOperation = (call, fields) => {
  const id = fields.required("SecretId");
  permitOn(call, "DeleteSecret", id);
  const { region } = call.caller;
  const days = fields.number("RecoveryWindowInDays", 7, 30);
  const nowMs = call.staleness.nowMs();
  if (fields.flag("ForceDeleteWithoutRecovery")) {
    if (days !== undefined)
      throw invalidParameter("You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.");
    // Documented: no ResourceNotFoundException for one that is gone already.
    const present = call.secrets.find(region, id);
    if (present !== undefined) call.secrets.deleteByForce(region, present.name);
    const arn = present?.arn ?? call.secrets.arnOf(region, id);
    return { ARN: arn, Name: present?.name ?? id, DeletionDate: seconds(nowMs) };
  }
  const secret = call.secrets.live(region, id);
  const dueMs = nowMs + (days ?? 30) * 86_400_000 * call.settings.scale;
  secret.deletion = { sinceMs: nowMs, dueMs };
  return { ARN: secret.arn, Name: secret.name, DeletionDate: seconds(dueMs) };
};

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RestoreSecret.html */
const RestoreSecret: SecretOperation = (call, fields) => {
  const secret = anySecret(call, fields, "RestoreSecret");
  delete secret.deletion;
  return { ARN: secret.arn, Name: secret.name };
};

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_TagResource.html */
const TagResource: SecretOperation = (call, fields) => {
  const secret = liveSecret(call, fields, "TagResource");
  const given = fields.tags();
  if (given.size === 0) throw invalidParameter("You must provide Tags.");
  for (const [key, value] of given) secret.tags.set(key, value);
  if (secret.tags.size > 50) throw new AwsFault("LimitExceededException", 400, "A secret has 50 tags at most.");
  return {};
};

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UntagResource.html */
const UntagResource: SecretOperation = (call, fields) => {
  const secret = liveSecret(call, fields, "UntagResource");
  for (const key of fields.texts("TagKeys") ?? []) secret.tags.delete(key);
  return {};
};

/** Who else may read it. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetResourcePolicy.html */
const GetResourcePolicy: SecretOperation = (call, fields) => {
  const secret = liveSecret(call, fields, "GetResourcePolicy");
  return { ARN: secret.arn, Name: secret.name, ResourcePolicy: secret.resourcePolicy };
};

/** No rotation of AWS's own happens here. https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html#API_RotateSecret_Errors */
const RotateSecret: SecretOperation = (call, fields) => {
  liveSecret(call, fields, "RotateSecret");
  throw invalidRequest("No Lambda rotation function ARN is associated with this secret.");
};

export const secretOperations = {
  DescribeSecret,
  DeleteSecret,
  RestoreSecret,
  TagResource,
  UntagResource,
  GetResourcePolicy,
  RotateSecret,
};
