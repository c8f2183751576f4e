import { join } from "node:path";
import { expect, it } from "vitest";
import { fileRootsText } from "./file-roots.ts";

it("says of each folder that is not there that it does not exist", () => {
  const here = import.meta.dirname;
  const missing = join(here, "no-such-folder");
  expect(fileRootsText([here, missing])).toBe(`below ${here}, ${missing} (does not exist)`);
  expect(fileRootsText([])).toContain("REKEY_FILE_ROOTS names no folder");
});
