import { readFileSync } from "node:fs";
import type { z } from "zod";
import { OperatorNeededError } from "./domain/errors.ts";

/** Names the variable and what to write. Never what was written: it may be a secret in the wrong place. */
export const wrong = (variable: string, advice: string): OperatorNeededError =>
  new OperatorNeededError("setting_invalid", `${variable}: ${advice}`);

/** The text of a file that a setting names. */
export function readText(name: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown";
    throw wrong(name, `the file it names cannot be read (${code}). Name a file that this user can read.`);
  }
}

/** The entries of a JSON file that a setting names; none where it names no file. */
export function readEntries<Entry>(
  { name, meaning }: { readonly name: string; readonly meaning: string },
  file: string | undefined,
  schema: z.ZodType<Readonly<Record<string, Entry>>>,
): Readonly<Record<string, Entry>> {
  if (file === undefined) return {};
  let content: unknown;
  try {
    content = JSON.parse(readText(name, file));
  } catch (error) {
    if (error instanceof OperatorNeededError) throw error;
    throw wrong(name, `${file} is not JSON. ${meaning}`);
  }
  const result = schema.safeParse(content);
  if (result.success) return result.data;
  const where = result.error.issues[0]?.path.join(".") ?? "";
  throw wrong(name, `the entry "${where}" in ${file} is not valid. ${meaning}`);
}
