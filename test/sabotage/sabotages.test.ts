import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { sabotages } from "./sabotages.ts";

const root = new URL("../../", import.meta.url);

/** Else it would be planted nowhere, and the long run would find that out last. */
it.each(sabotages)("$name: each edit fits the source in exactly one place", ({ edits, caughtBy }) => {
  expect(caughtBy).not.toEqual([]);
  for (const { file, find } of edits) {
    const parts = readFileSync(fileURLToPath(new URL(file, root)), "utf8").split(find);
    expect(parts, `${file}: ${find}`).toHaveLength(2);
  }
});
