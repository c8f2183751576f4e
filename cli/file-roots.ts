import { existsSync } from "node:fs";

/** Where workers of this program may write. A folder that is not there is more often mistyped than made later. */
export function fileRootsText(roots: readonly string[]): string {
  if (roots.length === 0) return "none is written: REKEY_FILE_ROOTS names no folder";
  return `below ${roots.map((root) => (existsSync(root) ? root : `${root} (does not exist)`)).join(", ")}`;
}
