import { OperatorNeededError } from "../../../domain/errors.ts";
import type { AwsCall } from "../../systems/aws/api-error.ts";
import { ask, askUnless } from "../../systems/aws/ask.ts";
import { secretsManagerOf, type Aws } from "../../systems/aws/aws.ts";
import { secretArn } from "../../systems/aws/settings.ts";
import type { AwsSecretConfig } from "./config.ts";
import { actions } from "./connection.ts";
import { current, stagesIn, type Stages } from "./version.ts";

/** One registration's part of one secret. */
export interface Target {
  readonly aws: Aws;
  readonly config: AwsSecretConfig;
  /** As `targetOf` of the definition has it. */
  readonly name: string;
  /** Whose registration it is. */
  readonly consumer: string;
  readonly digestKey: Uint8Array;
}

export interface Replica {
  readonly region: string;
  readonly isInSync: boolean;
}

/** A secret as it is described, without what it holds. */
export interface Described {
  /** With the six characters that AWS has put at the end of the name. */
  readonly arn: string;
  readonly stages: Stages;
  readonly owningService?: string;
  readonly primaryRegion?: string;
  /** AWS's own rotation, by a function of the secret. */
  readonly rotatesItself: boolean;
  readonly replicas: readonly Replica[];
  /** The day alone, and not by whom. */
  readonly lastAccessed?: Date;
  readonly kmsKeyId?: string;
}

export interface Content {
  readonly id: string;
  readonly text: string;
  readonly createdAt?: Date;
}

export const resourceOf = ({ aws: { settings }, config }: Pick<Target, "aws" | "config">): string =>
  secretArn(settings, `${config.secret}-??????`);

const callOn = (target: Target, action: string, hasEffect = false): AwsCall => ({
  action,
  resource: resourceOf(target),
  hasEffect,
});

const missing = ({ config: { secret }, aws: { settings } }: Target): OperatorNeededError =>
  new OperatorNeededError(
    "target_unreachable",
    `There is no secret ${secret} in account ${settings.account}, region ${settings.region}. Create it (aws secretsmanager create-secret --name ${secret}), or restore it with what it held, then retry.`,
  );

const leaving = ({ config: { secret } }: Target, since: Date): OperatorNeededError =>
  new OperatorNeededError(
    "target_unreachable",
    `The secret ${secret} was marked for deletion on ${since.toISOString().slice(0, 10)}, so that nobody can read it. Restore it (aws secretsmanager restore-secret --secret-id ${secret}), or remove the consumer; then retry.`,
  );

/** A name is looked for in the account of the key, whichever account the connection names. */
function assertAccount({ aws: { settings } }: Target, arn = ""): void {
  const account = arn.split(":")[4] ?? "";
  if (account === settings.account) return;
  throw new OperatorNeededError(
    "account_unknown",
    `The connection's access key leads to ${/^\d{12}$/.test(account) ? `account ${account}` : "no account that can be read"}, and the connection names ${settings.account}. Correct account of the connection, or give it a key of that account, then retry.`,
  );
}

/** https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html */
export async function describe(target: Target): Promise<Described> {
  const found = await askUnless(target.aws, callOn(target, actions.describe), [absent], async (via) => {
    const { DescribeSecretCommand } = await import("@aws-sdk/client-secrets-manager");
    const client = await secretsManagerOf(target.aws);
    return client.send(new DescribeSecretCommand({ SecretId: target.config.secret }), via);
  });
  if (found === undefined) throw missing(target);
  const { ARN: arn = "" } = found;
  assertAccount(target, arn);
  if (found.DeletedDate !== undefined) throw leaving(target, found.DeletedDate);
  const { OwningService, PrimaryRegion, RotationEnabled, ReplicationStatus, LastAccessedDate, KmsKeyId } = found;
  return {
    arn,
    stages: stagesIn(found.VersionIdsToStages),
    rotatesItself: RotationEnabled === true,
    replicas: (ReplicationStatus ?? []).map(({ Region = "", Status }) => ({
      region: Region,
      isInSync: Status === "InSync",
    })),
    ...(OwningService === undefined ? {} : { owningService: OwningService }),
    ...(PrimaryRegion === undefined ? {} : { primaryRegion: PrimaryRegion }),
    ...(LastAccessedDate === undefined ? {} : { lastAccessed: LastAccessedDate }),
    ...(KmsKeyId === undefined ? {} : { kmsKeyId: KmsKeyId }),
  };
}

const absent = "ResourceNotFoundException";

/**
 * What readers get now. Undefined where no version is current, as in a secret that was made without a value.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
 */
export async function readCurrent(target: Target): Promise<Content | undefined> {
  const found = await askUnless(target.aws, callOn(target, actions.get), [absent], async (via) => {
    const { GetSecretValueCommand } = await import("@aws-sdk/client-secrets-manager");
    const client = await secretsManagerOf(target.aws);
    // Without the stage AWS means the same, and others do not.
    return client.send(new GetSecretValueCommand({ SecretId: target.config.secret, VersionStage: current }), via);
  });
  if (found === undefined) return undefined;
  const { VersionId = "", SecretString, CreatedDate } = found;
  if (SecretString === undefined)
    throw new OperatorNeededError(
      "target_malformed",
      `The secret ${target.config.secret} holds bytes, not text (SecretBinary). Put a text there, then retry.`,
    );
  return { id: VersionId, text: SecretString, ...(CreatedDate === undefined ? {} : { createdAt: CreatedDate }) };
}

/**
 * A version under a stage that no reader asks for. Harmless to repeat: the same id with the same content is a success.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
 */
export async function putVersion(
  target: Target,
  { id, text, stage }: { readonly id: string; readonly text: string; readonly stage: string },
): Promise<void> {
  await ask(target.aws, callOn(target, actions.put, true), async (via) => {
    const { PutSecretValueCommand } = await import("@aws-sdk/client-secrets-manager");
    const client = await secretsManagerOf(target.aws);
    const what = { SecretId: target.config.secret, ClientRequestToken: id, SecretString: text, VersionStages: [stage] };
    return client.send(new PutSecretValueCommand(what), via);
  });
}

/**
 * Moves a stage, from the version that was seen to have it. False when another one has it by now.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
 */
export async function moveStage(
  target: Target,
  { stage, from, to }: { readonly stage: string; readonly from: string | undefined; readonly to: string },
): Promise<boolean> {
  const lost = ["InvalidParameterException", "InvalidRequestException"];
  const moved = await askUnless(target.aws, callOn(target, actions.move, true), lost, async (via) => {
    const { UpdateSecretVersionStageCommand } = await import("@aws-sdk/client-secrets-manager");
    const client = await secretsManagerOf(target.aws);
    const what = { SecretId: target.config.secret, VersionStage: stage, MoveToVersionId: to };
    const command = new UpdateSecretVersionStageCommand(
      from === undefined ? what : { ...what, RemoveFromVersionId: from },
    );
    return client.send(command, via);
  });
  return moved !== undefined;
}
