import { createHash } from "node:crypto";
import { compareClaims, type Claim } from "../../../domain/claim.ts";

// An access key carries no label, and IAM takes no client token. What tells ours from others are tags on the user: one
// that says what is about to be made, written before it is, and one for each key whose answer arrived.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html

export interface Owner {
  readonly instance: string;
  readonly credential: string;
}

/** What is about to be made, and what was there before. */
export interface Intent {
  readonly instance: string;
  readonly operationKey: string;
  readonly claim: Claim;
  /** IAM's clock when it was written, in whole seconds as IAM dates keys. Milliseconds since 1970. */
  readonly atMs: number;
  /** Ids of the keys that were there. */
  readonly before: readonly string[];
  /** The answer came, a key or a refusal: whatever turns up after it is not ours. */
  readonly isAnswered: boolean;
}

/** Whose a key is, and whose turn made it what it is. */
export interface KeyMark extends Owner {
  readonly operationKey: string;
  readonly claim: Claim;
  /** What that turn set the key to; absent: it made it. */
  readonly isActive?: boolean;
}

/** What a tag may hold; anything else stands there as a digest, which is compared as well. */
const plain = (text: string): string =>
  /^[\w.:=+@-]{1,48}$/.test(text) ? text : createHash("sha256").update(text).digest("hex").slice(0, 32);

const keyPrefix = "rekey:key:";
export const intentTag = ({ credential }: Owner): string => `rekey:${plain(credential)}`;
export const keyTag = (id: string): string => `${keyPrefix}${id}`;
export const idInTag = (tag: string): string | undefined =>
  tag.startsWith(keyPrefix) ? tag.slice(keyPrefix.length) : undefined;

const writeClaim = ({ epoch, number }: Claim): string => `${epoch}.${number}`;
function readClaim(text = ""): Claim | undefined {
  const [, epoch, number] = /^(\d{1,15})\.(\d{1,15})$/.exec(text) ?? [];
  return epoch === undefined ? undefined : { epoch: Number(epoch), number: Number(number) };
}

export function writeIntent({ instance, operationKey, claim, atMs, before, isAnswered }: Intent): string {
  const state = isAnswered ? "answered" : "making";
  return [plain(instance), plain(operationKey), writeClaim(claim), Math.floor(atMs / 1000), state, ...before].join(" ");
}

export function readIntent(text: string): Intent | undefined {
  const [instance, operationKey, claimed, seconds, state, ...before] = text.split(" ");
  const claim = readClaim(claimed);
  if (instance === undefined || operationKey === undefined || claim === undefined) return undefined;
  return { instance, operationKey, claim, atMs: Number(seconds) * 1000, before, isAnswered: state !== "making" };
}

export function writeMark({ instance, credential, operationKey, claim, isActive }: KeyMark): string {
  const state = isActive === undefined ? [] : [isActive ? "active" : "inactive"];
  return [plain(instance), plain(credential), plain(operationKey), writeClaim(claim), ...state].join(" ");
}

export function readMark(text: string): KeyMark | undefined {
  const [instance, credential, operationKey, claimed, state] = text.split(" ");
  const claim = readClaim(claimed);
  if (instance === undefined || credential === undefined || operationKey === undefined || claim === undefined)
    return undefined;
  return {
    instance,
    credential,
    operationKey,
    claim,
    ...(state === undefined ? {} : { isActive: state === "active" }),
  };
}

export const isOf = (mark: KeyMark, { instance, credential }: Owner): boolean =>
  mark.instance === plain(instance) && mark.credential === plain(credential);

export const isFor = ({ operationKey }: { readonly operationKey: string }, asked: string): boolean =>
  operationKey === plain(asked);

export const isByInstance = (intent: Intent, { instance }: Owner): boolean => intent.instance === plain(instance);

interface Turn {
  readonly claim: Claim;
  readonly isAnswered?: boolean;
}

/** Of two states of one tag, the later one: claims rise, an answer comes after the call, and a list may be behind. */
export function laterOf<T extends Turn>(one: T | undefined, other: T): T {
  const order = one === undefined ? 1 : compareClaims(other.claim, one.claim);
  return one !== undefined && (order < 0 || (order === 0 && one.isAnswered === true)) ? one : other;
}
