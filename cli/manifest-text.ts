import { isUtf8 } from "node:buffer";
import { readFile, stat } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { usage, type CliError } from "./cli-error.ts";

/** The API takes no longer text. */
export const mostBytes = 1_000_000;

/** The text of a manifest file, or of standard input for `-`. */
export async function readManifestText(name: string): Promise<string> {
  const said = name === "-" ? "Standard input" : name;
  return decode(said, name === "-" ? await buffer(process.stdin) : await readBytes(name));
}

async function readBytes(name: string): Promise<Buffer> {
  // Before it is read: it may be anything.
  const found = await stat(name).catch((error: unknown) => Promise.reject(unreadable(name, error)));
  if (found.size > mostBytes) throw tooLarge(name, found.size);
  return readFile(name).catch((error: unknown) => Promise.reject(unreadable(name, error)));
}

function unreadable(name: string, error: unknown): CliError {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "ENOENT" || code === "ENOTDIR")
    return usage(
      `There is no file ${name}`,
      "Name a manifest with -f FILE, a folder with manifests, or - for standard input.",
    );
  if (code === "EACCES" || code === "EPERM")
    return usage(`${name} may not be read by you`, "Let yourself read it, then apply again.");
  return usage(
    `${name} cannot be read`,
    "Name a manifest with -f FILE, a folder with manifests, or - for standard input.",
  );
}

const megabytes = (bytes: number) => `${(bytes / 1_000_000).toFixed(1)} MB`;

const tooLarge = (name: string, bytes: number) =>
  usage(
    `${name} has ${megabytes(bytes)}; a file of manifests has ${megabytes(mostBytes)} at most`,
    "See that it is the right file; if so, divide it and apply the parts one after the other.",
  );

/** UTF-8, with or without its mark. Whatever else it is, a wrong letter could become part of a name. */
function decode(name: string, bytes: Buffer): string {
  if (bytes.length > mostBytes) throw tooLarge(name, bytes.length);
  const asUtf8 = "Save it as UTF-8; on a terminal: iconv -f";
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    throw usage(`${name} is written in UTF-16`, `${asUtf8} UTF-16 -t UTF-8 FILE`);
  const zero = bytes.indexOf(0);
  if (zero >= 0)
    throw usage(`${name} is no text: line ${lineAt(bytes, zero)} holds a NUL`, "Name a YAML file in UTF-8.");
  if (!isUtf8(bytes))
    throw usage(`${name} is not UTF-8, first in line ${firstBadLine(bytes)}`, `${asUtf8} LATIN1 -t UTF-8 FILE`);
  return bytes.toString("utf8").replace(/^\uFEFF/, "");
}

const lineAt = (bytes: Buffer, at: number) => bytes.subarray(0, at).toString("latin1").split("\n").length;

function firstBadLine(bytes: Buffer): number {
  const lines = bytes.toString("latin1").split("\n");
  return lines.findIndex((line) => !isUtf8(Buffer.from(line, "latin1"))) + 1;
}
