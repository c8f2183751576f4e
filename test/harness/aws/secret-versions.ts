import { AwsFault } from "./fault.ts";
import { invalidParameter } from "./json-fields.ts";

/** One of the two, in base64 where it is binary. */
export type SecretContent = { readonly SecretString: string } | { readonly SecretBinary: string };

export interface SecretVersion {
  readonly id: string;
  readonly content: SecretContent;
  readonly createdAtMs: number;
  readonly stages: Set<string>;
  lastAccessedAtMs?: number;
}

export type Versions = Map<string, SecretVersion>;

const isSame = (one: SecretContent, other: SecretContent): boolean =>
  JSON.stringify(Object.entries(one)) === JSON.stringify(Object.entries(other));

export function holderOf(versions: Versions, stage: string): SecretVersion | undefined {
  return [...versions.values()].find(({ stages }) => stages.has(stage));
}

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html */
const mostStages = 20;
const mostVersions = 100;

/**
 * A stage is on one version at most. Whoever loses AWSCURRENT becomes AWSPREVIOUS.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
 */
function moveStage(versions: Versions, stage: string, to: SecretVersion | undefined): void {
  const from = holderOf(versions, stage);
  if (from === to) return;
  if (to !== undefined && to.stages.size >= mostStages)
    throw new AwsFault("LimitExceededException", 400, `A version has ${mostStages} staging labels at most.`);
  from?.stages.delete(stage);
  to?.stages.add(stage);
  if (stage === "AWSCURRENT" && from !== undefined) moveStage(versions, "AWSPREVIOUS", from);
}

/**
 * The same token with the same content is a success that does nothing, with other content it is refused.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
 */
export function isRepeated(versions: Versions, token: string, content: SecretContent | undefined): boolean {
  const present = versions.get(token);
  if (present === undefined) return false;
  if (content !== undefined && isSame(present.content, content)) return true;
  throw new AwsFault(
    "ResourceExistsException",
    400,
    "You can't use ClientRequestToken because that value is already in use for a version of the secret.",
  );
}

/** The first version is current, whatever stages are asked for; without any, each new one is. */
export function putVersion(versions: Versions, added: SecretVersion, stages: readonly string[] | undefined): void {
  const isFirst = versions.size === 0;
  versions.set(added.id, added);
  for (const stage of stages ?? ["AWSCURRENT"]) moveStage(versions, stage, added);
  if (isFirst) moveStage(versions, "AWSCURRENT", added);
}

/** Versions without a stage go when there are too many, but none that is younger than a day. */
export function makeRoom(versions: Versions, keptSinceMs: number): void {
  for (const { id, stages, createdAtMs } of versions.values()) {
    if (versions.size < mostVersions) return;
    if (stages.size === 0 && createdAtMs < keptSinceMs) versions.delete(id);
  }
  if (versions.size >= mostVersions)
    throw new AwsFault("LimitExceededException", 400, "The secret has reached the quota for versions.");
}

/** Moves, adds or takes away one stage, as it is asked for by name of the version that has it. */
export function updateStage(
  versions: Versions,
  stage: string,
  { from, to }: { readonly from: string | undefined; readonly to: string | undefined },
): void {
  const holder = holderOf(versions, stage);
  const target = to === undefined ? undefined : versions.get(to);
  if (to !== undefined && target === undefined)
    throw new AwsFault("ResourceNotFoundException", 400, "Secrets Manager can't find the specified secret version.");
  if (from === undefined && to === undefined)
    throw invalidParameter("You must provide MoveToVersionId or RemoveFromVersionId.");
  if (from !== undefined && holder?.id !== from)
    throw invalidParameter(
      `The staging label ${stage} isn't currently attached to the version in RemoveFromVersionId.`,
    );
  if (from === undefined && holder !== undefined && holder !== target)
    throw invalidParameter(
      `The parameter RemoveFromVersionId can't be empty. Staging label ${stage} is currently attached to version ${holder.id}, so you must explicitly reference that version in RemoveFromVersionId.`,
    );
  if (target === undefined && stage === "AWSCURRENT")
    throw invalidParameter("You can only move staging label AWSCURRENT to a different secret version.");
  moveStage(versions, stage, target);
}
