import { setTimeout as sleep } from "node:timers/promises";
import {
  idInTag,
  intentTag,
  isByInstance,
  isFor,
  isOf,
  laterOf,
  readIntent,
  readMark,
  type Intent,
  type KeyMark,
  type Owner,
} from "./mark.ts";
import { listKeys, listTags, type AccessKey, type ManagedUser } from "./user.ts";

/** What a session works on. */
export interface Scope {
  readonly user: ManagedUser;
  readonly owner: Owner;
  /** How long what lists answer may be behind. Milliseconds. */
  readonly listLagMs: number;
}

export interface Survey {
  /** As last seen. */
  readonly keys: readonly AccessKey[];
  /** Everything that was seen at any moment: a server that is behind shows less. */
  readonly everSeen: readonly AccessKey[];
  readonly marks: ReadonlyMap<string, KeyMark>;
  /** Ids that were marked at the first look: a key of theirs that no look has shown is gone. */
  readonly markedAtFirst: readonly string[];
  readonly intent: Intent | undefined;
  /** IAM's clock. Milliseconds since 1970. */
  readonly atMs: number;
}

const looks = 2;

/**
 * The user's keys and tags, looked at several times over the lag: IAM answers from servers that disagree for a while, so
 * that one look shows neither what has just been made nor whose turn has come since.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency
 */
export async function survey({ user, owner, listLagMs }: Scope): Promise<Survey> {
  const { signal } = user.aws.context;
  const everSeen = new Map<string, AccessKey>();
  const marks = new Map<string, KeyMark>();
  let markedAtFirst: readonly string[] = [];
  let intent: Intent | undefined;
  for (let look = 0; ; look++) {
    const tags = await listTags(user);
    const { keys, atMs } = await listKeys(user);
    for (const key of keys) everSeen.set(key.id, key);
    for (const [tag, text] of tags) {
      const [id, mark] = [idInTag(tag), readMark(text)];
      if (id !== undefined && mark !== undefined) marks.set(id, laterOf(marks.get(id), mark));
    }
    if (look === 0) markedAtFirst = [...marks.keys()];
    const found = readIntent(tags.get(intentTag(owner)) ?? "");
    if (found !== undefined && isByInstance(found, owner)) intent = laterOf(intent, found);
    if (listLagMs === 0 || look === looks)
      return { keys, everSeen: [...everSeen.values()], marks, markedAtFirst, intent, atMs };
    await sleep(listLagMs / looks, undefined, { signal });
  }
}

/** Marked by us, whichever operation made it. */
export const isMarkedOurs = ({ marks }: Survey, id: string, owner: Owner): boolean => {
  const mark = marks.get(id);
  return mark !== undefined && isOf(mark, owner);
};

/** AWS takes a signature for five minutes, so that no call of ours makes a key later than that. Milliseconds. */
const latestMs = 10 * 60_000;

/**
 * Keys that the noted intent could have made and whose answer nobody has: without a mark, not there before, and dated
 * within the minutes that a call can take after the note. A use that `isUsed` finds shows that it is somebody's, since nobody
 * but AWS ever had such a secret; none shows little, because uses are told late.
 */
export function madeSince({ everSeen, marks, intent }: Survey, operationKey?: string): readonly AccessKey[] {
  if (intent === undefined || intent.isAnswered) return [];
  if (operationKey !== undefined && !isFor(intent, operationKey)) return [];
  const { atMs, before } = intent;
  const isInTime = ({ createdAtMs }: AccessKey) => createdAtMs >= atMs && createdAtMs <= atMs + latestMs;
  return everSeen.filter((key) => !marks.has(key.id) && !before.includes(key.id) && isInTime(key));
}

/** The operation that made the key, by its mark, or by the note of a call that brought no answer; undefined: none of ours. */
export function madeBy(seen: Survey, id: string, owner: Owner): string | undefined {
  if (isMarkedOurs(seen, id, owner)) return seen.marks.get(id)?.operationKey;
  return madeSince(seen).some((key) => key.id === id) ? seen.intent?.operationKey : undefined;
}
