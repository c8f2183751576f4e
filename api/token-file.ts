import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { open, rename, unlink } from "node:fs/promises";
import { OperatorNeededError } from "../domain/errors.ts";
import type { Ledger } from "../ledger/database.ts";
import { findToken, revokeToken, storeFirstToken, storeToken } from "../ledger/tokens.ts";
import { newToken, tokenDigest } from "./new-token.ts";

/** Of the tokens that are made here. */
const usualLifeMs = 30 * 86_400_000;

/**
 * `first`: only where no admin has a valid token. A container begins with an empty file system each time, and would leave
 * one token more in the ledger at every start. `always`: whoever runs `rekey up` is the one whose the file is.
 */
export type TokenFileRule = "first" | "always";

/**
 * Sees that the file holds a valid token: keeps one that is, and makes an admin's, 0600, where there is none, one that is
 * expired or revoked, or one of another ledger, as far as the rule lets it. False when the file holds none afterwards.
 */
export async function ensureTokenFile(ledger: Ledger, path: string, rule: TokenFileRule): Promise<boolean> {
  const present = await readTokenFile(path);
  const found = present === undefined ? undefined : await findToken(ledger, tokenDigest(present));
  if (found?.state === "valid") return true;
  const token = newToken();
  const actor = "system:api";
  const request = { digest: tokenDigest(token), description: "the token file of serve", lifeMs: usualLifeMs, actor };
  // The ledger first: a file with a token that nobody knows would be worse than a token that nobody has.
  const stored =
    rule === "first" ? await storeFirstToken(ledger, request) : await storeToken(ledger, { ...request, role: "admin" });
  if (stored === undefined) return false;
  try {
    await place(path, token);
  } catch (error) {
    // Left valid it would be the reason why the next start makes none.
    await revokeToken(ledger, { id: stored.id, actor });
    throw error;
  }
  return true;
}

export interface RecoveredToken {
  readonly id: string;
  readonly token: string;
  readonly expiresAt: string;
}

/**
 * An admin's token for whoever may write to the ledger, by which any token could be had anyway: for when those of all admins
 * are lost. The audit trail says how it came about.
 */
export async function recoverToken(ledger: Ledger): Promise<RecoveredToken> {
  const token = newToken();
  const { id, expiresAt } = await storeToken(ledger, {
    digest: tokenDigest(token),
    role: "admin",
    description: "recovered by the ledger's address",
    lifeMs: usualLifeMs,
    actor: "system:recovery",
  });
  return { id, token, expiresAt: expiresAt.toISOString() };
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
