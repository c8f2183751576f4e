import { createHmac } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { OperatorNeededError } from "../../../domain/errors.ts";
import { fitTextsOf, type Value } from "../../contract/value.ts";
import type { FileConfig, FormatName } from "./config.ts";
import { dotenv } from "./dotenv.ts";
import { largestFile } from "./file-system.ts";
import { malformed, type Format, type Held } from "./format.ts";
import { json } from "./json.ts";
import { raw, withoutLineEnd } from "./raw.ts";
import { isSameUrl, withRestOf } from "../../contract/same-url.ts";
import { yaml } from "./yaml.ts";

const formats: Readonly<Record<FormatName, Format>> = { dotenv, json, yaml, raw };

/** Refuses bytes that would not come back as they were: what others wrote is written again with ours. */
function textOf(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return malformed("The file is not UTF-8 text.");
  }
}

/** What our keys hold. No file is like a file in which they are absent. */
export function heldIn(bytes: Buffer | undefined, config: FileConfig): Held {
  const keys = Object.keys(config.keys);
  if (bytes === undefined) return Object.fromEntries(keys.map((key) => [key, undefined]));
  return formats[config.format].read(textOf(bytes), keys);
}

/** What our keys are to hold. */
export function wantedOf(value: Value, config: FileConfig): Readonly<Record<string, string>> {
  const texts = fitTextsOf(value, Object.values(config.keys));
  return Object.fromEntries(Object.entries(config.keys).map(([key, field]) => [key, texts[field] ?? ""]));
}

/** By a URL the same login at the same place, in a raw file without its line end; all else as it is. */
export function holdsAll(held: Held, wanted: Readonly<Record<string, string>>, { keys, format }: FileConfig): boolean {
  return Object.entries(wanted).every(([key, text]) => {
    const found = held[key];
    if (found === undefined || found === text) return found === text;
    if (keys[key] === "url") return isSameUrl(found, text);
    return format === "raw" && found === withoutLineEnd(text);
  });
}

/** What is written: a URL keeps the parameters that the application gave it. */
function written(held: Held, wanted: Readonly<Record<string, string>>, { keys }: FileConfig) {
  return Object.fromEntries(
    Object.entries(wanted).map(([key, text]) => [key, keys[key] === "url" ? withRestOf(held[key], text) : text]),
  );
}

/** The file with our keys changed. Parsed back before it goes anywhere: our keys hold the value, the rest is as before. */
export function changed(
  bytes: Buffer | undefined,
  wanted: Readonly<Record<string, string>>,
  config: FileConfig,
): Buffer {
  const format = formats[config.format];
  const keys = Object.keys(config.keys);
  const before = bytes === undefined ? undefined : textOf(bytes);
  const next = written(heldIn(bytes, config), wanted, config);
  const after = format.write(before, next);
  const kept = isDeepStrictEqual(
    format.foreign(after, keys),
    format.foreign(before ?? format.write(undefined, {}), keys),
  );
  if (!kept || !holdsAll(format.read(after, keys), next, config))
    throw new OperatorNeededError(
      "target_malformed",
      "The file is laid out so that our keys cannot be changed without touching what is not ours. Write the keys once by hand, simply, then retry.",
    );
  const result = Buffer.from(after);
  if (result.length > largestFile)
    throw new OperatorNeededError("target_refused", "The file would become larger than 1 MiB. Shorten it, then retry.");
  return result;
}

/** Keyed, and bound to the target: equal values at two targets do not show as equal. */
export function digestOf(held: Held, target: string, digestKey: Uint8Array): string {
  const entries = Object.entries(held)
    .map(([key, text]) => [key, text ?? null] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHmac("sha256", digestKey)
    .update(JSON.stringify(["rekey/file/observation/v1", target, entries]))
    .digest("base64url");
}
