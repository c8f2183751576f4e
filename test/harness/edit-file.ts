import { rename, writeFile } from "node:fs/promises";

/** Edits a file as an editor does: an application that reads it meanwhile finds the former text or the new one, whole. */
export async function editFile(path: string, text: string): Promise<void> {
  const beside = `${path}.edited`;
  await writeFile(beside, text, { mode: 0o600 });
  await rename(beside, path);
}
