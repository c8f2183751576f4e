import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { OperatorNeededError } from "../domain/errors.ts";
import type { Ledger } from "../ledger/database.ts";
import { findToken, storeToken } from "../ledger/tokens.ts";
import { newToken, tokenDigest } from "./new-token.ts";

const lifeMs = 30 * 86_400_000;

/**
 * Sees that the file holds a valid admin token: keeps one that is, and makes one, 0600, where there is none, one that is
 * expired or revoked, or one of another ledger. True when it made one.
 */
export async function ensureTokenFile(ledger: Ledger, path: string): Promise<boolean> {
  const present = await readTokenFile(path);
  const found = present === undefined ? undefined : await findToken(ledger, tokenDigest(present));
  if (found?.state === "valid") return false;
  const token = newToken();
  // The ledger first: a file with a token that nobody knows would be worse than a token that nobody has.
  await storeToken(ledger, {
    digest: tokenDigest(token),
    role: "admin",
    description: "the token file of serve",
    lifeMs,
    actor: "system:api",
  });
  await place(path, token);
  return true;
}

const errorCode = (error: unknown) => (error instanceof Error && "code" in error ? String(error.code) : "unknown");

async function readTokenFile(path: string): Promise<string | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    if (errorCode(error) === "ENOENT") return undefined;
    throw new OperatorNeededError("setting_invalid", `REKEY_TOKEN_FILE: ${path} cannot be read (${errorCode(error)}).`);
  });
  if (file === undefined) return undefined;
  try {
    return (await file.readFile("utf8")).trim();
  } finally {
    await file.close();
  }
}

/** A complete file takes the place of the former one, whatever its mode was. */
async function place(path: string, token: string): Promise<void> {
  const draft = `${path}.${randomBytes(6).toString("hex")}`;
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(`${token}\n`);
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await unlink(draft).catch(() => undefined);
    throw new OperatorNeededError(
      "setting_invalid",
      `REKEY_TOKEN_FILE: ${path} cannot be written (${errorCode(error)}). Name a file in a folder of your own.`,
    );
  }
}
