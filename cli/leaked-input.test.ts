import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSuspectFile, suspectLines } from "./leaked-input.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "rk-leak-"));
});
afterAll(async () => rm(folder, { recursive: true }));

async function fileOf(bytes: Buffer | string): Promise<string> {
  const path = join(folder, randomBytes(6).toString("hex"));
  await writeFile(path, bytes);
  return path;
}

describe("what was found", () => {
  it("is named by its line, blank lines counted and left out, with line ends of any system", () => {
    const given = "one\r\n\r\n  two \n\t\nthree\rfour";
    expect(suspectLines(given)).toEqual([
      { place: "line 1", texts: ["one"] },
      { place: "line 3", texts: ["  two "] },
      { place: "line 5", texts: ["three"] },
      { place: "line 6", texts: ["four"] },
    ]);
    expect(suspectLines(" \n")).toEqual([]);
  });

  it("is read as UTF-8 with or without its mark, and as the UTF-16 of Windows", async () => {
    const text = "pässword\r\nb";
    const wide = Buffer.from(`\ufeff${text}`, "utf16le");
    for (const bytes of [text, `\ufeff${text}`, wide, Buffer.from(wide).swap16()])
      expect(await readSuspectFile(await fileOf(bytes))).toBe(text);
  });

  it("keeps what stands among bytes that are no text", async () => {
    const secret = randomBytes(12).toString("hex");
    const bytes = Buffer.concat([Buffer.from([0, 1, 255, 7]), Buffer.from(secret), Buffer.from([0, 27, 254, 10])]);
    expect((await readSuspectFile(await fileOf(bytes))).split(/[ \ufffd\n]+/)).toContain(secret);
  });

  it("is refused when it is too large, or no file that can be read; its name is not repeated", async () => {
    await expect(readSuspectFile(await fileOf(Buffer.alloc(33 * 1_048_576, "a")))).rejects.toThrow(
      "larger than 32 MiB",
    );
    const name = randomBytes(12).toString("hex");
    await expect(readSuspectFile(name)).rejects.toMatchObject({
      message: "The report cannot be read (ENOENT)",
      exitCode: 2,
    });
    await expect(readSuspectFile(folder)).rejects.toThrow("The report cannot be read (EISDIR)");
  });
});
