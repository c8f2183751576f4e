import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { OperatorNeededError } from "../domain/errors.ts";
import { Secret } from "../providers/contract/secret.ts";
import { isPrivate } from "./private-file.ts";

const wrong = (path: string, advice: string) =>
  new OperatorNeededError("setting_invalid", `REKEY_CUSTODIES_FILE names ${path}, which ${advice}`);

/**
 * The secret that a file holds, without the white space around it. Read it anew for each login: it may have been replaced.
 * @throws {OperatorNeededError} `setting_invalid` unless it is a file for this user alone (0600).
 */
export async function readSecretFile(path: string): Promise<Secret<string>> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => {
    throw wrong(path, "cannot be opened. Let the user that runs rekey own it, with mode 0600, and no link.");
  });
  try {
    const found = await file.stat();
    if (!found.isFile() || !isPrivate(found))
      throw wrong(
        path,
        `must be a file of the user that runs rekey, for that user alone. Run \`chmod 600 ${path}\`, and replace the secret if others could log in.`,
      );
    const text = (await file.readFile("utf8")).trim();
    if (text === "") throw wrong(path, "is empty. Write the secret into it.");
    return new Secret(text);
  } finally {
    await file.close();
  }
}
