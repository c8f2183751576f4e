import { createHmac } from "node:crypto";
import { OperatorNeededError, TransientError } from "../../../domain/errors.ts";
import { isSameUrl, withRestOf } from "../../contract/same-url.ts";
import { fitTextsOf, type Value } from "../../contract/value.ts";
import { fieldsOf, type AwsSecretConfig } from "./config.ts";

/** The limit of a secret's text: https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html. Bytes. */
const largestSecret = 65_536;
/** Stands for the one key of a secret that is plain text. */
const whole = "";

/** What our keys hold: text, or the JSON of whatever else somebody put there. */
export type Held = Readonly<Record<string, string | undefined>>;
type Texts = Readonly<Record<string, string>>;

const keysOf = (config: AwsSecretConfig): Texts => ("whole" in config ? { [whole]: config.whole } : config.keys);

const withSources = JSON as typeof JSON & { rawJSON(text: string): unknown };

/** Numbers stay as they were written: JavaScript's would lose digits of others' keys. */
function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  const keepNumber = (_key: string, value: unknown, { source }: { source?: string } = {}) =>
    typeof value === "number" && source !== undefined ? withSources.rawJSON(source) : value;
  try {
    const found: unknown = JSON.parse(text, keepNumber);
    // A bare number has become an object too, so that the text has to say it.
    const isObject = typeof found === "object" && text.trimStart().startsWith("{");
    return isObject ? (found as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const malformed = (config: AwsSecretConfig): OperatorNeededError =>
  new OperatorNeededError(
    "target_malformed",
    `The secret ${config.secret} holds no JSON object, so that none of its keys can be set. Correct its text, or register it whole (whole: ${fieldsOf(config)[0] ?? "FIELD"}) if it is to be plain text; then retry.`,
  );

/** `text` is undefined where the secret holds nothing yet. Throws where it cannot be read as it was registered. */
export function heldIn(text: string | undefined, config: AwsSecretConfig): Held {
  if ("whole" in config) return { [whole]: text };
  const object = parsed(text ?? "{}");
  if (object === undefined) throw malformed(config);
  const entries = Object.keys(config.keys).map((key) => {
    const found = Object.hasOwn(object, key) ? object[key] : undefined;
    return [key, typeof found === "string" || found === undefined ? found : JSON.stringify(found)] as const;
  });
  return Object.fromEntries(entries);
}

export const isEmpty = (held: Held): boolean => Object.values(held).every((text) => text === undefined || text === "");

/** What our keys are to hold. */
export function wantedOf(value: Value, config: AwsSecretConfig): Texts {
  const texts = fitTextsOf(value, fieldsOf(config));
  return Object.fromEntries(Object.entries(keysOf(config)).map(([key, field]) => [key, texts[field] ?? ""]));
}

/** By a URL the same login at the same place; all else as it is. */
export function holdsAll(held: Held, wanted: Texts, config: AwsSecretConfig): boolean {
  const fields = keysOf(config);
  return Object.entries(wanted).every(([key, text]) => {
    const found = held[key];
    return found === text || (fields[key] === "url" && found !== undefined && isSameUrl(found, text));
  });
}

/** The whole text with our keys set. A URL keeps the parameters that the application gave it; all else is as it was. */
export function textWith(text: string | undefined, wanted: Texts, config: AwsSecretConfig): string {
  const fields = keysOf(config);
  const held = heldIn(text, config);
  const next = (key: string, to: string) => (fields[key] === "url" ? withRestOf(held[key], to) : to);
  const ours = Object.entries(wanted).map(([key, to]) => [key, next(key, to)] as const);
  if ("whole" in config) return ours[0]?.[1] ?? "";
  return JSON.stringify(Object.fromEntries([...Object.entries(parsed(text ?? "{}") ?? {}), ...ours]));
}

export function assertRoom(text: string, { secret }: AwsSecretConfig): void {
  if (Buffer.byteLength(text) <= largestSecret) return;
  throw new TransientError(
    "target_full",
    `The secret ${secret} would hold more than ${largestSecret} bytes, which Secrets Manager does not take. Take out what is not needed; nothing was changed.`,
  );
}

/** Keyed, and bound to the target: equal values at two targets do not show as equal. */
export function digestOf(held: Held, target: string, digestKey: Uint8Array): string {
  const entries = Object.entries(held)
    .map(([key, text]) => [key, text ?? null] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHmac("sha256", digestKey)
    .update(JSON.stringify(["rekey/aws-secrets-manager/observation/v1", target, entries]))
    .digest("base64url");
}
