import { createHmac, createSecretKey, randomBytes, type KeyObject } from "node:crypto";
import { constants } from "node:fs";
import { link, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { OperatorNeededError } from "../domain/errors.ts";
import { isPrivate } from "./private-file.ts";

/** A 256-bit key with the id under which everything made with it is filed. */
export interface NamedKey {
  readonly id: string;
  readonly key: KeyObject;
}

export interface KeyRing {
  /** The newest key that is in use: the one to encrypt with. */
  readonly newest: NamedKey;
  /** Every key of the file, whatever its use. */
  readonly all: readonly NamedKey[];
  /** Any key of the file: all decrypt. */
  find(id: string): NamedKey | undefined;
}

interface StoredKey {
  readonly id: string;
  /** `decrypt`: known to this process already, not yet used for writing, until every process knows it. */
  readonly use: "all" | "decrypt";
  readonly key: string;
}

const format = "rekey/keys/v1";
const fail = (detail: string) => new OperatorNeededError("custody_key_missing", detail);

export function createKeyRing(keys: readonly (NamedKey & { readonly isForDecryptionOnly?: boolean })[]): KeyRing {
  const newest = keys.findLast((key) => key.isForDecryptionOnly !== true);
  if (newest === undefined) throw fail("The key file holds no key that is in use. Restore it from where you keep it.");
  const byId = new Map(keys.map((key) => [key.id, key]));
  return { newest, all: [...byId.values()], find: (id) => byId.get(id) };
}

/** Tells a wrong key from altered bytes: 8 bytes that only the right key yields and that say nothing about it. */
export function keyCheck({ id, key }: NamedKey): Buffer {
  return createHmac("sha256", key).update(`rekey/key-check/v1\n${id}`).digest().subarray(0, 8);
}

function newKey(use: StoredKey["use"]): StoredKey {
  return { id: `key_${randomBytes(8).toString("hex")}`, use, key: randomBytes(32).toString("base64") };
}

function isStoredKey(candidate: unknown): candidate is StoredKey {
  if (typeof candidate !== "object" || candidate === null) return false;
  const { id, use, key } = candidate as Partial<Record<keyof StoredKey, unknown>>;
  if (typeof id !== "string" || !/^[\w.-]{1,64}$/.test(id) || (use !== "all" && use !== "decrypt")) return false;
  return typeof key === "string" && Buffer.from(key, "base64").length === 32;
}

function parse(path: string, text: string): readonly StoredKey[] {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    content = undefined;
  }
  const { format: found, keys } = (content ?? {}) as { format?: unknown; keys?: unknown };
  if (found !== format || !Array.isArray(keys) || !keys.every(isStoredKey))
    throw fail(`${path} is not a key file of rekey. Restore it from where you keep it.`);
  if (new Set(keys.map(({ id }) => id)).size !== keys.length)
    throw fail(`${path} holds two keys with one id. Remove one.`);
  return keys;
}

const errorCode = (error: unknown) => (error instanceof Error && "code" in error ? error.code : undefined);

async function read(path: string): Promise<readonly StoredKey[] | undefined> {
  let file;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    if (errorCode(error) === "ELOOP")
      throw fail(`${path} is a symbolic link. Name the key file itself; Kubernetes mounts it so with \`subPath\`.`);
    throw fail(`${path} cannot be opened. Let the user that runs rekey own it, with mode 0600.`);
  }
  try {
    const found = await file.stat();
    if (!found.isFile()) throw fail(`${path} is not a regular file.`);
    if (!isPrivate(found))
      throw fail(
        `${path} is not of this user alone. Let the user that runs rekey own it, run \`chmod 600 ${path}\`, and replace the keys if others could log in.`,
      );
    return parse(path, await file.readFile("utf8"));
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(dirname(path), constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Writes a complete, synced file beside the path and puts it in place; never shows anybody half a key. */
async function place(
  path: string,
  keys: readonly StoredKey[],
  put: (from: string, to: string) => Promise<void>,
): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ format, keys }, undefined, 2)}\n`);
    await file.sync();
    await file.close();
    await put(draft, path);
    await syncFolder(path);
  } finally {
    await file.close().catch(() => undefined);
    await unlink(draft).catch(() => undefined);
  }
}

function toRing(keys: readonly StoredKey[]): KeyRing {
  return createKeyRing(
    keys.map(({ id, use, key }) => ({
      id,
      key: createSecretKey(key, "base64"),
      isForDecryptionOnly: use === "decrypt",
    })),
  );
}

/**
 * Opens a key file that is for this user alone. With `create`, makes one when there is none: several processes may
 * try, `link` lets exactly one win. Never create it where values already rest: they need the file that was lost.
 */
export async function openKeyFile(path: string, options: { readonly create: boolean }): Promise<KeyRing> {
  const found = await read(path);
  if (found !== undefined) return toRing(found);
  if (!options.create)
    throw fail(`${path} does not exist. Restore it from where you keep it; without it no value can be opened.`);
  await place(path, [newKey("all")], link).catch((error: unknown) => {
    if (errorCode(error) !== "EEXIST") throw error;
  });
  return openKeyFile(path, { create: false });
}

/** Adds a key for decryption only. Give the file to every process, restart them, then `useNewestKey`. */
export async function addKey(path: string): Promise<string> {
  const keys = (await read(path)) ?? [];
  const added = newKey("decrypt");
  await place(path, [...keys, added], rename);
  return added.id;
}

/** From the next start on, everything is written under the newest key. */
export async function useNewestKey(path: string): Promise<void> {
  const keys = (await read(path)) ?? [];
  await place(
    path,
    keys.map((key) => ({ ...key, use: "all" as const })),
    rename,
  );
}
