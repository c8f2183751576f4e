import { createHmac } from "node:crypto";
import { OperatorNeededError } from "../../../domain/errors.ts";
import { isSameUrl, withRestOf } from "../../contract/same-url.ts";
import { fitTextsOf, type Value } from "../../contract/value.ts";
import type { VaultKvConfig } from "./config.ts";

/** What our keys hold. */
export type Held = Readonly<Record<string, string | undefined>>;
export type Texts = Readonly<Record<string, string>>;

/** A secret may hold any JSON; what we deliver is text, so anything else is not what was registered. */
export function heldIn(data: Readonly<Record<string, unknown>>, { keys, path }: VaultKvConfig): Held {
  const entries = Object.keys(keys).map((key) => {
    const held = Object.hasOwn(data, key) ? data[key] : undefined;
    if (held === undefined || typeof held === "string") return [key, held] as const;
    throw new OperatorNeededError(
      "target_malformed",
      `Key ${key} of the secret ${path} holds something else than text. Correct it, or the registration; then retry.`,
    );
  });
  return Object.fromEntries(entries);
}

export const isEmpty = (held: Held): boolean => Object.values(held).every((text) => text === undefined || text === "");

/** What our keys are to hold. */
export function wantedOf(value: Value, { keys }: VaultKvConfig): Texts {
  const texts = fitTextsOf(value, Object.values(keys));
  return Object.fromEntries(Object.entries(keys).map(([key, field]) => [key, texts[field] ?? ""]));
}

/** By a URL the same login at the same place; all else as it is. */
export function holdsAll(held: Held, wanted: Texts, { keys }: VaultKvConfig): boolean {
  return Object.entries(wanted).every(([key, text]) => {
    const found = held[key];
    return found === text || (keys[key] === "url" && found !== undefined && isSameUrl(found, text));
  });
}

/** What is written: a URL keeps the parameters that the application gave it. */
export function writtenOver(held: Held, wanted: Texts, { keys }: VaultKvConfig): Texts {
  const next = (key: string, text: string) => (keys[key] === "url" ? withRestOf(held[key], text) : text);
  return Object.fromEntries(Object.entries(wanted).map(([key, text]) => [key, next(key, text)]));
}

/** Keyed, and bound to the target: equal values at two targets do not show as equal. */
export function digestOf(held: Held, target: string, digestKey: Uint8Array): string {
  const entries = Object.entries(held)
    .map(([key, text]) => [key, text ?? null] as const)
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
  return createHmac("sha256", digestKey)
    .update(JSON.stringify(["rekey/vault-kv/observation/v1", target, entries]))
    .digest("base64url");
}
