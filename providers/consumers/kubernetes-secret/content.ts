import { createHmac } from "node:crypto";
import { isSameUrl, withRestOf } from "../../contract/same-url.ts";
import { fitTextsOf, type Value } from "../../contract/value.ts";
import type { KubernetesSecretConfig } from "./config.ts";
import type { SecretObject } from "./objects.ts";

/** What our keys hold, as base64: a key can hold any bytes. */
export type Held = Readonly<Record<string, string | undefined>>;
export type Texts = Readonly<Record<string, string>>;

/** Kubernetes' own limit for the values of one Secret together. Bytes. */
export const largestSecret = 1_048_576;

export const heldIn = ({ data = {} }: SecretObject, { keys }: KubernetesSecretConfig): Held =>
  Object.fromEntries(Object.keys(keys).map((key) => [key, data[key]]));

export const isEmpty = (held: Held): boolean => Object.values(held).every((text) => text === undefined || text === "");

export const asBase64 = (text: string): string => Buffer.from(text).toString("base64");

/** Undefined where it is no text. */
function textIn(held: string | undefined): string | undefined {
  const text = Buffer.from(held ?? "", "base64").toString();
  return held !== undefined && asBase64(text) === held ? text : undefined;
}

/** What our keys are to hold. */
export function wantedOf(value: Value, { keys }: KubernetesSecretConfig): Texts {
  const texts = fitTextsOf(value, Object.values(keys));
  return Object.fromEntries(Object.entries(keys).map(([key, field]) => [key, texts[field] ?? ""]));
}

/** By a URL the same login at the same place; all else as it is. */
export function holdsAll(held: Held, wanted: Texts, { keys }: KubernetesSecretConfig): boolean {
  return Object.entries(wanted).every(([key, text]) => {
    const found = textIn(held[key]);
    return found === text || (keys[key] === "url" && found !== undefined && isSameUrl(found, text));
  });
}

/** What is written: a URL keeps the parameters that the application gave it. */
export function writtenOver(held: Held, wanted: Texts, { keys }: KubernetesSecretConfig): Texts {
  const next = (key: string, text: string) => (keys[key] === "url" ? withRestOf(textIn(held[key]), text) : text);
  return Object.fromEntries(Object.entries(wanted).map(([key, text]) => [key, next(key, text)]));
}

/** Of all values once ours are written. Bytes. */
export function sizeWith({ data = {} }: SecretObject, ours: Texts): number {
  const others = Object.entries(data).flatMap(([key, text]) =>
    key in ours ? [] : [Buffer.byteLength(text, "base64")],
  );
  return [...others, ...Object.values(ours).map((text) => Buffer.byteLength(text))].reduce(
    (sum, size) => sum + size,
    0,
  );
}

/** Keyed, and bound to the target: equal values at two targets do not show as equal. */
export function digestOf(held: Held, target: string, digestKey: Uint8Array): string {
  const entries = Object.entries(held)
    .map(([key, text]) => [key, text ?? null] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHmac("sha256", digestKey)
    .update(JSON.stringify(["rekey/kubernetes-secret/observation/v1", target, entries]))
    .digest("base64url");
}
