import { createHash } from "node:crypto";
import { compareClaims, type Claim } from "../../../domain/claim.ts";
import { PermanentError } from "../../../domain/errors.ts";

// A delivery's version has an id of ours, which the request's token becomes: it says whose it is and which number, and
// is the same again for a repeat. Stages say which version is which, and each is on one version at most.
// https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html

export const current = "AWSCURRENT";
const prefix = "rekey-";
/** What AWS takes as a version's id. */
const [shortestId, longestId] = [32, 64];

const bare = (consumer: string): string => consumer.replace(/^con_/, "");

/** On the version of the newest delivery that became current, whoever wrote after it. */
export const deliveredStage = (consumer: string): string => `${prefix}${bare(consumer)}`;
/** On the version that was written last and is to become current. */
export const nextStage = (consumer: string): string => `${prefix}next-${bare(consumer)}`;

/**
 * The id for one delivery over one version that was read: made again only with the same content, so that a repeat is a
 * success and what others changed in between makes another one.
 */
export function versionIdFor(consumer: string, { epoch, number }: Claim, over: string | undefined): string {
  const start = `${prefix}${bare(consumer)}-${epoch}.${number}-`;
  const room = longestId - start.length;
  if (room < 8) throw new PermanentError("target_refused", "The delivery's number is too long for a version's id.");
  const end = createHash("sha256")
    .update(over ?? "none")
    .digest("hex");
  return `${start}${end.slice(0, Math.min(room, 16))}`.padEnd(shortestId, "0");
}

/** The number in such an id, where it is one of this consumer's. */
export function numberIn(id: string, consumer: string): Claim | undefined {
  const start = `${prefix}${bare(consumer)}-`;
  if (!id.startsWith(start)) return undefined;
  const [, epoch, number] = /^(\d{1,15})\.(\d{1,15})-[0-9a-f]{8,}/.exec(id.slice(start.length)) ?? [];
  return epoch === undefined ? undefined : { epoch: Number(epoch), number: Number(number) };
}

export const isOfRekey = (id: string): boolean => /^rekey-[0-9a-z]{26}-\d+\.\d+-/.test(id);

/** Which version has each stage. */
export type Stages = ReadonlyMap<string, string>;

export const stagesIn = (versions: Readonly<Record<string, readonly string[]>> = {}): Stages =>
  new Map(Object.entries(versions).flatMap(([id, stages]) => stages.map((stage) => [stage, id] as const)));

/** The newest delivery of ours that has been current: the current one is, if it is ours, or the one we marked. */
export function newestNumber(stages: Stages, consumer: string): Claim | undefined {
  const numbers = [current, "AWSPREVIOUS", deliveredStage(consumer)].flatMap(
    (stage) => numberIn(stages.get(stage) ?? "", consumer) ?? [],
  );
  return numbers.toSorted(compareClaims).at(-1);
}
