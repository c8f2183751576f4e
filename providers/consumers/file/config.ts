import { resolve } from "node:path";
import { z } from "zod";
import { isReserved } from "./side-file.ts";

export const formatNames = ["dotenv", "json", "yaml", "raw"] as const;
export type FormatName = (typeof formatNames)[number];

/** A registration of a file. */
export interface FileConfig {
  readonly path: string;
  readonly format: FormatName;
  readonly keys: Readonly<Record<string, string>>;
  readonly mode?: string | undefined;
  readonly reload?: string | undefined;
}

const control = /[\u0000-\u001f\u007f]/;
const dotenvKey = /^[A-Za-z_][A-Za-z0-9_]*$/;

const path = z
  .string()
  .max(4096)
  .refine((text) => text.startsWith("/") && resolve(text) === text && text !== "/" && !control.test(text), {
    message: "must be an absolute path without '..', '.', double slashes or control characters",
  })
  .refine((text) => !isReserved(text), { message: "is a name that rekey keeps for its own side files" });

const mode = z
  .string()
  .regex(/^0?[0-7]{3}$/, "must be octal text such as 0600")
  .refine((text) => (Number.parseInt(text, 8) & 0o022) === 0, { message: "must not let others write" })
  .refine((text) => (Number.parseInt(text, 8) & 0o400) !== 0, { message: "must let the owner read" });

function keyFault(format: FormatName, keys: readonly string[]): string | undefined {
  if (keys.length === 0) return "must name at least one key";
  if (format === "raw") return keys.length === 1 ? undefined : "must name exactly one key for raw, such as 'value'";
  if (format === "dotenv")
    return keys.every((key) => dotenvKey.test(key)) ? undefined : "must be names of variables for dotenv";
  if (keys.some((key) => control.test(key) || key.split(".").includes("")))
    return "must be names joined by single dots";
  const nested = keys.some((key) => keys.some((other) => other.startsWith(`${key}.`)));
  return nested ? "must not lie inside each other" : undefined;
}

export const configSchema: z.ZodType<FileConfig> = z
  .strictObject({
    path: path.describe("Absolute and canonical, below a root that the worker's settings name (`REKEY_FILE_ROOTS`)"),
    format: z.enum(formatNames).describe("`raw`: the file is the value"),
    keys: z
      .record(z.string().min(1).max(256), z.string().min(1).max(256))
      .describe("The file's key, to the field of the value that it holds; in JSON and YAML a dot walks into an object"),
    mode: mode
      .optional()
      .describe("Octal text, for a file that is not there yet: 0600 without it; a present file keeps its own"),
    reload: z
      .string()
      .min(1)
      .max(128)
      .optional()
      .describe("An entry of the worker's settings (`REKEY_RELOADS_FILE`), never a path or a command"),
  })
  .superRefine((config, context) => {
    const fault = keyFault(config.format, Object.keys(config.keys));
    if (fault !== undefined) context.addIssue({ code: "custom", path: ["keys"], message: fault });
  });

export function modeOf(config: FileConfig): number {
  return Number.parseInt(config.mode ?? "0600", 8);
}

/** A key that lies inside of another one is part of it. */
export function sharedKeys(one: FileConfig, other: FileConfig): readonly string[] {
  if (one.format === "raw" || other.format === "raw") return ["the whole file"];
  const isWithin = (key: string, outer: string): boolean => key === outer || key.startsWith(`${outer}.`);
  const theirs = Object.keys(other.keys);
  return Object.keys(one.keys).filter((key) => theirs.some((each) => isWithin(key, each) || isWithin(each, key)));
}
