import { posix } from "node:path";
import { lineAt, type SourceFile } from "./source-file.ts";

export interface Import {
  /** A path from the root, or a package's name with whatever follows it. */
  readonly target: string;
  readonly isInternal: boolean;
  /** Gone when the file runs: `import type`, `export type … from`, or `typeof import(…)`. */
  readonly isTypeOnly: boolean;
  readonly line: number;
}

const statement =
  /(?:^|[;}\n])\s*(import|export)\s+(type\s+)?(?:[\w$*{][\w$\s,{}*]*?\sfrom\s*|\{[^}]*\}\s*from\s*|\*\s*from\s*)?["']([^"'\n]+)["']/g;
const dynamic = /(typeof\s+)?\bimport\s*\(\s*["'`]([^"'`\n]+)["'`]/g;
const required = /\brequire(?:\.resolve)?\s*\(\s*["']([^"'\n]+)["']/g;

/** Everything a file imports, in any way that can be seen without running it. */
export function importsOf(file: SourceFile): readonly Import[] {
  const found = (specifier: string, isTypeOnly: boolean, offset: number): Import => {
    const isInternal = specifier.startsWith(".");
    return {
      target: isInternal ? posix.join(posix.dirname(file.path), specifier) : specifier,
      isInternal,
      isTypeOnly,
      line: lineAt(file.code, offset),
    };
  };
  const all = (pattern: RegExp) => [...file.code.matchAll(pattern)];
  return [
    ...all(statement).map((m) => found(m[3] ?? "", m[2] !== undefined, m.index + m[0].length)),
    ...all(dynamic).map((m) => found(m[2] ?? "", m[1] !== undefined, m.index)),
    ...all(required).map((m) => found(m[1] ?? "", false, m.index)),
  ];
}

/** `@scope/name` or `name` of a specifier with a path behind it; `node:` for what Node itself has. */
export function packageOf(specifier: string): string {
  if (specifier.startsWith("node:")) return "node:";
  const [first = "", second] = specifier.split("/");
  return first.startsWith("@") && second !== undefined ? `${first}/${second}` : first;
}
