import type { AwsCall } from "../providers/systems/aws/api-error.ts";
import { askUnless } from "../providers/systems/aws/ask.ts";
import { secretsManagerOf, type Aws } from "../providers/systems/aws/aws.ts";
import { secretArn } from "../providers/systems/aws/settings.ts";
import { current, next } from "./aws-version.ts";

/** One secret, which may not be there. */
export interface SecretPlace {
  readonly aws: Aws;
  readonly name: string;
  /** Below which name all of them lie: what a policy is given for. */
  readonly prefix: string;
}

export interface SecretVersion {
  readonly id: string;
  readonly text: string;
}

/** A secret without what it holds. */
export interface Outline {
  /** Nobody can read it, and nothing but a restoration can change it. */
  readonly isMarked: boolean;
  /** Id of the version that is current. */
  readonly current: string | undefined;
  /** Each stage with the version that it is on. */
  readonly stages: readonly (readonly [stage: string, id: string])[];
}

const absent = "ResourceNotFoundException";
/** It is marked for deletion, or the call does not fit what is there. */
const unfit = "InvalidRequestException";
const exists = "ResourceExistsException";
/** The stage is on another version by now, or nothing is there to be done. */
const elsewhere = "InvalidParameterException";

const callOn = ({ aws: { settings }, prefix }: SecretPlace, name: string, hasEffect = true): AwsCall => ({
  action: `secretsmanager:${name}`,
  resource: secretArn(settings, `${prefix}/*`),
  hasEffect,
});

/**
 * Nothing happens where the name is taken, also by a secret that is marked for deletion.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html
 */
export async function createSecret(place: SecretPlace, { id, text }: SecretVersion): Promise<void> {
  const { CreateSecretCommand } = await import("@aws-sdk/client-secrets-manager");
  const client = await secretsManagerOf(place.aws);
  const command = new CreateSecretCommand({ Name: place.name, ClientRequestToken: id, SecretString: text });
  await askUnless(place.aws, callOn(place, "CreateSecret"), [exists, unfit], async (via) => client.send(command, via));
}

/**
 * What is current. `unreadable` where the secret is marked for deletion, or was a moment ago.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 */
export async function readCurrent(place: SecretPlace): Promise<SecretVersion | "absent" | "unreadable"> {
  const { GetSecretValueCommand } = await import("@aws-sdk/client-secrets-manager");
  const client = await secretsManagerOf(place.aws);
  const command = new GetSecretValueCommand({ SecretId: place.name, VersionStage: current });
  let isUnfit = false;
  const found = await askUnless(place.aws, callOn(place, "GetSecretValue", false), [absent], async (via) =>
    client.send(command, via).catch((error: unknown) => {
      if (!(error instanceof Error && error.name === unfit)) throw error;
      isUnfit = true;
      return undefined;
    }),
  );
  if (isUnfit) return "unreadable";
  return found === undefined ? "absent" : { id: found.VersionId ?? "", text: found.SecretString ?? "" };
}

/**
 * Undefined where there is none. One that is marked for deletion is described too.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
 */
export async function outlineOf(place: SecretPlace): Promise<Outline | undefined> {
  const { DescribeSecretCommand } = await import("@aws-sdk/client-secrets-manager");
  const client = await secretsManagerOf(place.aws);
  const command = new DescribeSecretCommand({ SecretId: place.name });
  const found = await askUnless(place.aws, callOn(place, "DescribeSecret", false), [absent], async (via) =>
    client.send(command, via),
  );
  if (found === undefined) return undefined;
  const stages = Object.entries(found.VersionIdsToStages ?? {}).flatMap(([id, those]) =>
    those.map((stage) => [stage, id] as const),
  );
  const [, id] = stages.find(([stage]) => stage === current) ?? [];
  return { isMarked: found.DeletedDate !== undefined, current: id, stages };
}

/**
 * Adds a version that nobody reads yet. Where there is one of that id, it stays as it is.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
 */
export async function addVersion(place: SecretPlace, { id, text }: SecretVersion): Promise<void> {
  const { PutSecretValueCommand } = await import("@aws-sdk/client-secrets-manager");
  const client = await secretsManagerOf(place.aws);
  const what = { SecretId: place.name, ClientRequestToken: id, SecretString: text, VersionStages: [next] };
  const command = new PutSecretValueCommand(what);
  await askUnless(place.aws, callOn(place, "PutSecretValue"), [exists, unfit, absent], async (via) =>
    client.send(command, via),
  );
}

/**
 * Takes a stage from the version that was seen to have it, and gives it to another one, or to none. Nothing happens where
 * it is elsewhere by now, or the secret is marked for deletion: false then.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
 */
export async function moveStage(place: SecretPlace, stage: string, from: string, to?: string): Promise<boolean> {
  const { UpdateSecretVersionStageCommand } = await import("@aws-sdk/client-secrets-manager");
  const client = await secretsManagerOf(place.aws);
  const what = { SecretId: place.name, VersionStage: stage, RemoveFromVersionId: from };
  const command = new UpdateSecretVersionStageCommand(to === undefined ? what : { ...what, MoveToVersionId: to });
  const refusals = [elsewhere, unfit, absent];
  const moved = await askUnless(place.aws, callOn(place, "UpdateSecretVersionStage"), refusals, async (via) =>
    client.send(command, via),
  );
  return moved !== undefined;
}

/**
 * With the shortest time that AWS has, in days; the name stays taken until then.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
 */
export async function scheduleDeletion(place: SecretPlace): Promise<void> {
  const { DeleteSecretCommand } = await import("@aws-sdk/client-secrets-manager");
  const client = await secretsManagerOf(place.aws);
  const command = new DeleteSecretCommand({ SecretId: place.name, RecoveryWindowInDays: 7 });
  await askUnless(place.aws, callOn(place, "DeleteSecret"), [unfit, absent], async (via) => client.send(command, via));
}

/**
 * Nothing happens where it is not marked.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RestoreSecret.html
 */
export async function restore(place: SecretPlace): Promise<void> {
  const { RestoreSecretCommand } = await import("@aws-sdk/client-secrets-manager");
  const client = await secretsManagerOf(place.aws);
  const command = new RestoreSecretCommand({ SecretId: place.name });
  await askUnless(place.aws, callOn(place, "RestoreSecret"), [elsewhere, unfit, absent], async (via) =>
    client.send(command, via),
  );
}
