import { OperatorNeededError } from "../../../domain/errors.ts";
import type { LastUse } from "../../contract/issuer.ts";
import { isRefusal, type AwsCall } from "../../systems/aws/api-error.ts";
import { askUnless, askWithTime } from "../../systems/aws/ask.ts";
import { iamOf, type Aws } from "../../systems/aws/aws.ts";
import { iamArn } from "../../systems/aws/settings.ts";

/** One IAM user, whose keys are managed. */
export interface ManagedUser {
  readonly aws: Aws;
  readonly name: string;
}

/** A user has room for two keys, inactive ones too: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html */
export const slots = 2;

export interface AccessKey {
  readonly id: string;
  readonly isActive: boolean;
  readonly createdAtMs: number;
}

const absent = "NoSuchEntityException";
const full = "LimitExceededException";

/** What rekey calls on the user. */
export const actions = [
  "iam:GetUser",
  "iam:ListAccessKeys",
  "iam:CreateAccessKey",
  "iam:UpdateAccessKey",
  "iam:DeleteAccessKey",
  "iam:GetAccessKeyLastUsed",
  "iam:ListUserTags",
  "iam:TagUser",
  "iam:UntagUser",
] as const;

type Action = (typeof actions)[number];

/** A user may have a path, which only IAM tells. */
const callOn = ({ aws, name }: ManagedUser, action: Action, hasEffect = false): AwsCall => ({
  action,
  resource: iamArn(aws.settings, `user/${name}`),
  hasEffect,
});

const userMissing = ({ aws: { settings }, name }: ManagedUser): OperatorNeededError =>
  new OperatorNeededError(
    "principal_missing",
    `There is no IAM user ${name} in account ${settings.account}. Create it (aws iam create-user --user-name ${name}), or correct user in the credential; then retry.`,
  );

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetUser.html */
export async function arnOf(user: ManagedUser): Promise<string> {
  const found = await askUnless(user.aws, callOn(user, "iam:GetUser"), [absent], async (via) => {
    const { GetUserCommand } = await import("@aws-sdk/client-iam");
    return (await iamOf(user.aws)).send(new GetUserCommand({ UserName: user.name }), via);
  });
  if (found?.User?.Arn === undefined) throw userMissing(user);
  return found.User.Arn;
}

interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | undefined;
}

async function allPages<T>(page: (from: string | undefined) => Promise<Page<T>>): Promise<readonly T[]> {
  const all: T[] = [];
  let from: string | undefined;
  do {
    const { items, next } = await page(from);
    all.push(...items);
    from = next;
  } while (from !== undefined);
  return all;
}

const nextOf = (answer: { IsTruncated?: boolean | undefined; Marker?: string | undefined }): string | undefined =>
  answer.IsTruncated === true ? answer.Marker : undefined;

/** As one server of IAM knows them, with its clock. https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListAccessKeys.html */
export async function listKeys(user: ManagedUser): Promise<{ keys: readonly AccessKey[]; atMs: number }> {
  let atMs = Date.now();
  const keys = await allPages(async (from) => {
    const { answer, at } = await askWithTime(
      user.aws,
      callOn(user, "iam:ListAccessKeys"),
      async (via) => {
        const { ListAccessKeysCommand } = await import("@aws-sdk/client-iam");
        const asked = { UserName: user.name, ...(from === undefined ? {} : { Marker: from }) };
        return (await iamOf(user.aws)).send(new ListAccessKeysCommand(asked), via);
      },
      [absent],
    );
    if (answer === undefined) throw userMissing(user);
    if (at !== undefined) atMs = Date.parse(at);
    const items = (answer.AccessKeyMetadata ?? []).flatMap(({ AccessKeyId, Status, CreateDate }) =>
      AccessKeyId === undefined
        ? []
        : [{ id: AccessKeyId, isActive: Status === "Active", createdAtMs: CreateDate?.getTime() ?? 0 }],
    );
    return { items, next: nextOf(answer) };
  });
  return { keys: [...new Map(keys.map((key) => [key.id, key])).values()], atMs };
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_ListUserTags.html */
export async function listTags(user: ManagedUser): Promise<ReadonlyMap<string, string>> {
  const tags = await allPages(async (from) => {
    const answer = await askUnless(user.aws, callOn(user, "iam:ListUserTags"), [absent], async (via) => {
      const { ListUserTagsCommand } = await import("@aws-sdk/client-iam");
      const asked = { UserName: user.name, ...(from === undefined ? {} : { Marker: from }) };
      return (await iamOf(user.aws)).send(new ListUserTagsCommand(asked), via);
    });
    if (answer === undefined) throw userMissing(user);
    const items = (answer.Tags ?? []).map(({ Key = "", Value = "" }) => [Key, Value] as const);
    return { items, next: nextOf(answer) };
  });
  return new Map(tags);
}

/** Repeated, it does the same. https://docs.aws.amazon.com/IAM/latest/APIReference/API_TagUser.html */
export async function writeTags(user: ManagedUser, tags: Readonly<Record<string, string>>): Promise<void> {
  const done = await askUnless(user.aws, callOn(user, "iam:TagUser", true), [absent, full], async (via) => {
    const { TagUserCommand } = await import("@aws-sdk/client-iam");
    const asked = { UserName: user.name, Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) };
    return (await iamOf(user.aws)).send(new TagUserCommand(asked), via);
  });
  if (done === undefined)
    throw new OperatorNeededError(
      "no_free_slot",
      `The IAM user ${user.name} has no room for another tag (50 at most), or is gone. rekey notes there what it makes, before it does. Take a tag away, then retry.`,
    );
}

/** https://docs.aws.amazon.com/IAM/latest/APIReference/API_UntagUser.html */
export async function removeTags(user: ManagedUser, keys: readonly string[]): Promise<void> {
  if (keys.length === 0) return;
  await askUnless(user.aws, callOn(user, "iam:UntagUser", true), [absent], async (via) => {
    const { UntagUserCommand } = await import("@aws-sdk/client-iam");
    return (await iamOf(user.aws)).send(new UntagUserCommand({ UserName: user.name, TagKeys: [...keys] }), via);
  });
}

export interface MintedKey {
  readonly id: string;
  /** Shown here and never again. */
  readonly secret: string;
  readonly createdAt: Date;
}

/**
 * Undefined where there is no room. `whenRefused` comes first, wherever AWS said that it made none.
 * https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateAccessKey.html
 */
export async function createKey(user: ManagedUser, whenRefused: () => Promise<void>): Promise<MintedKey | undefined> {
  let isRefused = false;
  const asked = askUnless(user.aws, callOn(user, "iam:CreateAccessKey", true), [full], async (via) => {
    const { CreateAccessKeyCommand } = await import("@aws-sdk/client-iam");
    const client = await iamOf(user.aws);
    return client.send(new CreateAccessKeyCommand({ UserName: user.name }), via).catch((error: unknown) => {
      isRefused = isRefusal(error, via.exchange);
      throw error;
    });
  });
  const made = await asked.catch(async (error: unknown) => {
    if (isRefused) await whenRefused();
    throw error;
  });
  if (made === undefined) {
    await whenRefused();
    return undefined;
  }
  const { AccessKeyId = "", SecretAccessKey = "", CreateDate = new Date(0) } = made.AccessKey ?? {};
  return { id: AccessKeyId, secret: SecretAccessKey, createdAt: CreateDate };
}

/** False where the server that was asked knows no such key. https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAccessKey.html */
export async function setActive(user: ManagedUser, id: string, isActive: boolean): Promise<boolean> {
  const done = await askUnless(user.aws, callOn(user, "iam:UpdateAccessKey", true), [absent], async (via) => {
    const { UpdateAccessKeyCommand } = await import("@aws-sdk/client-iam");
    const asked = { UserName: user.name, AccessKeyId: id, Status: isActive ? "Active" : "Inactive" } as const;
    return (await iamOf(user.aws)).send(new UpdateAccessKeyCommand(asked), via);
  });
  return done !== undefined;
}

/** False where the server that was asked knows no such key. https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeleteAccessKey.html */
export async function deleteKey(user: ManagedUser, id: string): Promise<boolean> {
  const done = await askUnless(user.aws, callOn(user, "iam:DeleteAccessKey", true), [absent], async (via) => {
    const { DeleteAccessKeyCommand } = await import("@aws-sdk/client-iam");
    return (await iamOf(user.aws)).send(new DeleteAccessKeyCommand({ UserName: user.name, AccessKeyId: id }), via);
  });
  return done !== undefined;
}

/** What one server of IAM says of a key's use, with its clock; undefined where it knows no such key. */
export async function lastUseOf(
  user: ManagedUser,
  id: string,
): Promise<{ readonly use: LastUse | null; readonly atMs: number } | undefined> {
  // https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccessKeyLastUsed.html
  const { answer, at } = await askWithTime(
    user.aws,
    callOn(user, "iam:GetAccessKeyLastUsed"),
    async (via) => {
      const { GetAccessKeyLastUsedCommand } = await import("@aws-sdk/client-iam");
      return (await iamOf(user.aws)).send(new GetAccessKeyLastUsedCommand({ AccessKeyId: id }), via);
    },
    [absent],
  );
  if (answer === undefined) return undefined;
  const atMs = at === undefined ? Date.now() : Date.parse(at);
  const { LastUsedDate, ServiceName = "", Region = "" } = answer.AccessKeyLastUsed ?? {};
  const by = `service ${ServiceName} in region ${Region}`;
  return { use: LastUsedDate === undefined ? null : { at: LastUsedDate.toISOString(), by }, atMs };
}

/** Whether IAM tells of a use. Uses of the last four hours may not be told yet, so that "no" means little. */
export const isUsed = async (user: ManagedUser, id: string): Promise<boolean> =>
  ((await lastUseOf(user, id))?.use ?? null) !== null;
