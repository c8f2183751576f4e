import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { usage } from "./cli-error.ts";
import { readHiddenLines } from "./read-input.ts";

/** Something that may have leaked. */
export interface Suspect {
  /** Where it stood, for people: `line 3`, `src/app.env:12 (generic-api-key)`. */
  readonly place: string;
  /** What of it may be a secret or hold one. */
  readonly texts: readonly string[];
}

const mebibyte = 1_048_576;
const mostBytes = 32 * mebibyte;

/** Standard input to its end; from a terminal lines that are not shown. */
export async function readSuspectInput(): Promise<string> {
  if (!process.stdin.isTTY) return readText(process.stdin);
  return cleaned(await readHiddenLines("Paste what was found, one value a line; nothing is shown. Ctrl-D ends it."));
}

export async function readSuspectFile(path: string): Promise<string> {
  return readText(createReadStream(path)).catch((error: unknown) => {
    if (!(error instanceof Error && "code" in error && typeof error.code === "string" && "syscall" in error))
      throw error;
    // Not repeated: a value may have been written where the file belongs.
    throw usage(`The report cannot be read (${error.code})`, "Name its file after --format, or - for standard input.");
  });
}

async function readText(input: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of input as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > mostBytes)
      throw usage(
        `The input is larger than ${mostBytes / mebibyte} MiB`,
        "Nothing was compared. Cut it and run it for each part.",
      );
    parts.push(part);
  }
  return cleaned(decode(Buffer.concat(parts)));
}

/** Windows writes UTF-16 where a program's output goes to a file, and says so by its first two bytes. */
function decode(bytes: Buffer): string {
  const mark = bytes.length < 2 ? 0 : bytes.readUInt16BE(0);
  const encoding = mark === 0xfffe ? "utf-16le" : mark === 0xfeff ? "utf-16be" : "utf-8";
  return new TextDecoder(encoding).decode(bytes);
}

/** No secret has a control character; what stands beside one does not hide it. */
export const cleaned = (text: string): string => text.toWellFormed().replaceAll(/[^\P{Cc}\t\r\n]/gu, " ");

/** Every line that is not blank. */
export function suspectLines(text: string): readonly Suspect[] {
  return text
    .split(/\r\n|\n|\r/)
    .map((line, index) => ({ place: `line ${index + 1}`, texts: [line] }))
    .filter(({ texts: [line = ""] }) => line.trim() !== "");
}
