import { AwsFault } from "./fault.ts";
import { invalidParameter, invalidRequest, type JsonFields } from "./json-fields.ts";
import type { Call } from "./call.ts";
import { anySecret, day, liveSecret, permitKms, permitOn, seconds, type SecretOperation } from "./secret-operations.ts";
import {
  holderOf,
  isRepeated,
  makeRoom,
  putVersion,
  updateStage,
  type SecretContent,
  type SecretVersion,
} from "./secret-versions.ts";
import type { FakeSecret } from "./secrets.ts";

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html */
const CreateSecret: SecretOperation = (call, fields) => {
  const name = fields.required("Name", 1, 512);
  if (!/^[\w/+=.@-]+$/.test(name)) throw invalidParameter("Invalid name. It has letters, digits, and /_+=.@-");
  const { region } = call.caller;
  permitOn(call, "CreateSecret", name);
  const tags = new Map(fields.tags());
  // Documented: tags need their right too.
  if (tags.size > 0) permitOn(call, "TagResource", name);
  const kmsKeyId = fields.optional("KmsKeyId");
  const content = contentOf(fields);
  const token = tokenOf(fields);
  if (content !== undefined) permitKms(call, kmsKeyId, ["GenerateDataKey", "Decrypt"]);
  const present = call.secrets.find(region, name);
  if (present?.deletion !== undefined)
    throw invalidRequest(
      "You can't create this secret because a secret with this name is already scheduled for deletion.",
    );
  if (present !== undefined) {
    if (content === undefined || !isRepeated(present.versions, token, content))
      throw new AwsFault(
        "ResourceExistsException",
        400,
        `The operation failed because the secret ${name} already exists.`,
      );
    return { ARN: present.arn, Name: name, VersionId: token };
  }
  const secret = call.secrets.create(region, name, { description: fields.optional("Description", 0), kmsKeyId, tags });
  if (content === undefined) return { ARN: secret.arn, Name: name };
  putVersion(secret.versions, newVersion(call, token, content), undefined);
  return { ARN: secret.arn, Name: name, VersionId: token };
};

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html */
const PutSecretValue: SecretOperation = (call, fields) => {
  const secret = liveSecret(call, fields, "PutSecretValue");
  permitKms(call, secret.kmsKeyId, ["GenerateDataKey", "Decrypt"]);
  const content = contentOf(fields);
  if (content === undefined) throw invalidRequest("You must provide either SecretString or SecretBinary.");
  const token = tokenOf(fields);
  const stages = fields.texts("VersionStages");
  if (stages?.some((stage) => stage === "" || stage.length > 256) || stages?.length === 0 || (stages?.length ?? 0) > 20)
    throw invalidParameter("VersionStages is not as documented.");
  if (!isRepeated(secret.versions, token, content)) {
    makeRoom(secret.versions, call.staleness.nowMs() - call.settings.deprecatedKeptMs * call.settings.scale);
    putVersion(secret.versions, newVersion(call, token, content), stages);
    secret.changedAtMs = call.staleness.nowMs();
  }
  return { ARN: secret.arn, Name: secret.name, VersionId: token, VersionStages: stagesOf(secret, token) };
};

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html */
const GetSecretValue: SecretOperation = (call, fields) => {
  const secret = liveSecret(call, fields, "GetSecretValue");
  permitKms(call, secret.kmsKeyId, ["Decrypt"]);
  const [id, stage] = [fields.optional("VersionId"), fields.optional("VersionStage")];
  const isUnnamed = id === undefined && stage === undefined && call.settings.withoutStage === "another";
  const version = (isUnnamed ? notCurrent(secret) : undefined) ?? versionAsked(secret, id, stage);
  const nowMs = call.staleness.nowMs();
  version.lastAccessedAtMs = nowMs;
  secret.lastAccessedAtMs = nowMs;
  const VersionStages = stagesOf(secret, version.id);
  const CreatedDate = seconds(version.createdAtMs);
  const { content } = version;
  return { ARN: secret.arn, Name: secret.name, VersionId: version.id, VersionStages, CreatedDate, ...content };
};

const notCurrent = ({ versions }: FakeSecret): SecretVersion | undefined =>
  [...versions.values()].findLast(({ stages }) => !stages.has("AWSCURRENT"));

/** The current one unless a version or a stage is named. */
function versionAsked(secret: FakeSecret, id: string | undefined, stage: string | undefined): SecretVersion {
  const version = id === undefined ? holderOf(secret.versions, stage ?? "AWSCURRENT") : secret.versions.get(id);
  if (version === undefined)
    throw new AwsFault(
      "ResourceNotFoundException",
      400,
      `Secrets Manager can't find the specified secret value for ${id === undefined ? `staging label: ${stage ?? "AWSCURRENT"}` : `VersionId: ${id}`}`,
    );
  if (id !== undefined && stage !== undefined && !version.stages.has(stage))
    throw invalidRequest("You provided a VersionStage that is not associated to the provided VersionId.");
  return version;
}

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html */
const UpdateSecretVersionStage: SecretOperation = (call, fields) => {
  const secret = liveSecret(call, fields, "UpdateSecretVersionStage");
  const [from, to] = [fields.optional("RemoveFromVersionId"), fields.optional("MoveToVersionId")];
  updateStage(secret.versions, fields.required("VersionStage", 1, 256), { from, to });
  secret.changedAtMs = call.staleness.nowMs();
  return { ARN: secret.arn, Name: secret.name };
};

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html */
const ListSecretVersionIds: SecretOperation = (call, fields) => {
  const secret = anySecret(call, fields, "ListSecretVersionIds");
  const hasDeprecated = fields.flag("IncludeDeprecated");
  const all = [...secret.versions.values()].filter(({ stages }) => hasDeprecated || stages.size > 0);
  const from = Number(fields.optional("NextToken") ?? 0);
  const end = from + Math.min(fields.number("MaxResults", 1, 100) ?? 100, call.settings.pageSize);
  const Versions = all.slice(from, end).map(({ id, stages, createdAtMs, lastAccessedAtMs }) => ({
    VersionId: id,
    VersionStages: stages.size > 0 ? [...stages] : undefined,
    CreatedDate: seconds(createdAtMs),
    LastAccessedDate: day(lastAccessedAtMs),
  }));
  return { ARN: secret.arn, Name: secret.name, Versions, NextToken: end < all.length ? String(end) : undefined };
};

function newVersion(call: Call, id: string, content: SecretContent): SecretVersion {
  return { id, content, createdAtMs: call.staleness.nowMs(), stages: new Set() };
}

const stagesOf = ({ versions }: FakeSecret, id: string): readonly string[] => [...(versions.get(id)?.stages ?? [])];

/** The token becomes the version's id. */
const tokenOf = (fields: JsonFields): string => fields.required("ClientRequestToken", 32, 64);

function contentOf(fields: JsonFields): SecretContent | undefined {
  const [text, binary] = [fields.optional("SecretString", 1, 65_536), fields.optional("SecretBinary", 1, 87_384)];
  if (text !== undefined && binary !== undefined)
    throw invalidParameter(
      "You can't specify both a binary secret value and a string secret value in the same secret.",
    );
  if (text !== undefined) return { SecretString: text };
  return binary === undefined ? undefined : { SecretBinary: binary };
}

export const valueOperations = {
  CreateSecret,
  PutSecretValue,
  GetSecretValue,
  UpdateSecretVersionStage,
  ListSecretVersionIds,
};
