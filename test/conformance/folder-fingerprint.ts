import { createHash } from "node:crypto";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** Changes with any byte, mode, time or name in the folder: whoever only looks leaves it as it is. */
export async function folderFingerprint(folder: string): Promise<string> {
  const digest = createHash("sha256");
  for (const name of (await readdir(folder)).toSorted()) {
    const { mode, mtimeNs, ino } = await stat(join(folder, name), { bigint: true });
    digest.update(`${name} ${mode} ${mtimeNs} ${ino} `).update(await readFile(join(folder, name)));
  }
  return digest.digest("hex");
}
