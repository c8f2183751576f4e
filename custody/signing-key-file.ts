import { createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, type KeyObject } from "node:crypto";
import { constants } from "node:fs";
import { link, open, unlink } from "node:fs/promises";
import { OperatorNeededError } from "../domain/errors.ts";
import { isPrivate } from "./private-file.ts";

/** The keys that sign the audit trail's heads (Ed25519). */
export interface SigningKeys {
  /** The newest: the one to sign with. */
  readonly signing: { readonly id: string; readonly privateKey: KeyObject };
  /** All of the file, since a chain outlives the key that signed its beginning. */
  readonly publicKeys: ReadonlyMap<string, KeyObject>;
}

interface StoredKey {
  readonly id: string;
  /** PKCS 8, base64. */
  readonly key: string;
}

const format = "rekey/signing-keys/v1";
const fail = (detail: string) => new OperatorNeededError("custody_key_missing", detail);
const errorCode = (error: unknown) => (error instanceof Error && "code" in error ? error.code : undefined);

/**
 * Opens the key file, which is for this user alone. With `create`, makes one when there is none; of several processes that
 * try, `link` lets exactly one win.
 */
export async function openSigningKeys(path: string, options: { readonly create: boolean }): Promise<SigningKeys> {
  const text = await read(path);
  if (text !== undefined) return parse(path, text);
  if (!options.create)
    throw fail(`${path} does not exist. Restore it from where you keep it; without it no head of the audit verifies.`);
  await make(path);
  return openSigningKeys(path, { create: false });
}

async function read(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw fail(`${path} cannot be opened. Let the user that runs rekey own it, with mode 0600, and no link.`);
  });
  if (file === undefined) return undefined;
  try {
    if (!isPrivate(await file.stat()))
      throw fail(`${path} must belong to the user that runs rekey, with mode 0600. Run \`chmod 600 ${path}\`.`);
    return await file.readFile("utf8");
  } finally {
    await file.close();
  }
}

function parse(path: string, text: string): SigningKeys {
  try {
    const { format: found, keys } = JSON.parse(text) as { format: unknown; keys: readonly StoredKey[] };
    if (found !== format) throw new TypeError("another format");
    const all = keys.map(({ id, key }) => ({
      id,
      privateKey: createPrivateKey({ key: Buffer.from(key, "base64"), format: "der", type: "pkcs8" }),
    }));
    const signing = all.at(-1);
    if (signing === undefined) throw new TypeError("no key");
    return { signing, publicKeys: new Map(all.map(({ id, privateKey }) => [id, createPublicKey(privateKey)])) };
  } catch {
    throw fail(`${path} is not a signing key file of rekey. Restore it from where you keep it.`);
  }
}

async function make(path: string): Promise<void> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = privateKey.export({ format: "der", type: "pkcs8" }).toString("base64");
  const stored: StoredKey = { id: `sig_${randomBytes(8).toString("hex")}`, key };
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(draft, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ format, keys: [stored] }, undefined, 2)}\n`);
    await file.sync();
    await file.close();
    await link(draft, path).catch((error: unknown) => {
      if (errorCode(error) !== "EEXIST") throw error;
    });
  } finally {
    await file.close().catch(() => undefined);
    await unlink(draft).catch(() => undefined);
  }
}
