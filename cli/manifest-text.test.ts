import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { CliError } from "./cli-error.ts";
import { mostBytes, readManifestText } from "./manifest-text.ts";

const folder = mkdtempSync(join(tmpdir(), "rekey-text-"));
const text = "kind: Team\n# Grüße\n";

function written(bytes: Buffer): string {
  const path = join(folder, "a.yaml");
  writeFileSync(path, bytes);
  return path;
}

async function refusal(path: string): Promise<string> {
  const error = await readManifestText(path).catch((found: unknown) => found);
  if (!(error instanceof CliError)) throw new Error("it was read");
  expect(error.exitCode).toBe(2);
  return `${error.message.replaceAll(folder, "")}. ${error.next}`;
}

const utf16 = Buffer.from(`\uFEFF${text}`, "utf16le");

it("UTF-8 is read, with or without its mark, to the last byte that is allowed", async () => {
  expect(await readManifestText(written(Buffer.from(text)))).toBe(text);
  expect(await readManifestText(written(Buffer.from(`\uFEFF${text}`)))).toBe(text);
  expect(await readManifestText(written(Buffer.alloc(mostBytes, "#")))).toHaveLength(mostBytes);
});

it.each([
  ["5 MB", Buffer.alloc(5_000_000, "#"), "/a.yaml has 5.0 MB; a file of manifests has 1.0 MB at most"],
  ["UTF-16", utf16, "/a.yaml is written in UTF-16. Save it as UTF-8; on a terminal: iconv -f UTF-16"],
  ["UTF-16 of the other order", Buffer.from(utf16).swap16(), "/a.yaml is written in UTF-16."],
  ["UTF-16 without its mark", utf16.subarray(2), "/a.yaml is no text: line 1 holds a NUL."],
  ["Latin-1", Buffer.from(text, "latin1"), "/a.yaml is not UTF-8, first in line 2."],
])("%s is refused with what to do", async (_, bytes, expected) => {
  expect(await refusal(written(bytes))).toContain(expected);
});

it("what is not there, or is a folder, is said as that", async () => {
  expect(await refusal(join(folder, "none.yaml"))).toContain(
    "There is no file /none.yaml. Name a manifest with -f FILE",
  );
  expect(await refusal(folder)).toContain(" cannot be read.");
});
