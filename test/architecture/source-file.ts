import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { blankComments } from "./blank-comments.ts";

/** A file of the project as the rules see it; a test may make one up. */
export interface SourceFile {
  /** From the root, with slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with comments blanked, so that no rule trips over prose. Equal to `text` where it is not code. */
  readonly code: string;
}

/** Where a rule is broken, and in words what to do. */
export interface Breach {
  readonly path: string;
  /** From 1; absent when the whole file is meant. */
  readonly line?: number;
  readonly says: string;
}

/** A rule of the code base as a program. */
export interface Rule {
  readonly name: string;
  check(files: readonly SourceFile[]): readonly Breach[];
}

const root = fileURLToPath(new URL("../../", import.meta.url));
const skipped = new Set([".git", "node_modules", "dist", ".stryker-tmp", "reports"]);
const ruled =
  /\.(ts|mts|mjs|js|tsx|py|go|json|ya?ml|sql|md|html|css|sh|service|env)$|(^|\/)Dockerfile$|(^|\/)(bin\/|\.ci\/)[^/]+$/;
const codeFile = /\.(ts|mts|mjs|js|tsx)$|^bin\//;

export const isCode = (path: string): boolean => codeFile.test(path);
/** Tests, and what exists only for them: it may reach for anything. */
export const isTest = (path: string): boolean => path.startsWith("test/") || path.endsWith(".test.ts");

export function sourceFile(path: string, text: string): SourceFile {
  return { path, text, code: isCode(path) ? blankComments(text) : text };
}

/** Every text file of the project, built and installed ones left out. */
export function projectFiles(): readonly SourceFile[] {
  return pathsBelow("").map((path) => sourceFile(path, readFileSync(join(root, path), "utf8")));
}

function pathsBelow(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skipped.has(entry.name) ? [] : pathsBelow(path);
    return entry.isFile() && ruled.test(path) && entry.name !== "package-lock.json" ? [path] : [];
  });
}

/** Number of the line on which an offset of the text lies, from 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split("\n").length;
}

/** One breach for each match of a pattern (with the flag `g`) in the files' code. */
export function breachesOf(
  files: readonly SourceFile[],
  pattern: RegExp,
  says: (found: string) => string,
): readonly Breach[] {
  return files.flatMap(({ path, code }) =>
    [...code.matchAll(pattern)].map((match) => ({ path, line: lineAt(code, match.index), says: says(match[0]) })),
  );
}
