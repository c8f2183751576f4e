import type { Claim } from "../../../domain/claim.ts";

/**
 * Our mark is one more key of the secret, so that it changes with the value in one write; custom metadata is written by a
 * call of its own, which a late attempt could put back.
 */
export const markPrefix = "rekey_con_";

export interface Mark {
  readonly number: Claim;
  /** The version of the secret that this delivery made. */
  readonly version: number;
  /** The keys that this registration delivers. */
  readonly keys: readonly string[];
}

/** Fit for the name of a variable, for applications that take every key as one. */
export const markKeyOf = (consumer: string): string => `rekey_${consumer}`;

export function writtenMark({ number, version, keys }: Mark): string {
  return `${number.epoch}.${number.number} ${version} ${keys.map(encodeURIComponent).join(",")}`;
}

/** Undefined where it is none of ours. */
export function readMark(held: unknown): Mark | undefined {
  if (typeof held !== "string") return undefined;
  const [, epoch, number, version, keys] = /^(\d{1,15})\.(\d{1,15}) (\d{1,15}) (\S+)$/.exec(held) ?? [];
  if (keys === undefined) return undefined;
  try {
    return {
      number: { epoch: Number(epoch), number: Number(number) },
      version: Number(version),
      keys: keys.split(",").map(decodeURIComponent),
    };
  } catch {
    return undefined;
  }
}

export const markIn = (data: Readonly<Record<string, unknown>>, consumer: string): Mark | undefined =>
  readMark(data[markKeyOf(consumer)]);

/** Another registration that delivers one of these keys. */
export function rivalOf(
  data: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  consumer: string,
): { readonly key: string; readonly mark: string } | undefined {
  for (const [mark, held] of Object.entries(data)) {
    if (!mark.startsWith(markPrefix) || mark === markKeyOf(consumer)) continue;
    const key = readMark(held)?.keys.find((one) => keys.includes(one));
    if (key !== undefined) return { key, mark };
  }
  return undefined;
}
