import { z } from "zod";

/** A registration of a target that a program serves. */
export interface ExecConfig {
  readonly program: string;
  readonly target: string;
  readonly fields: readonly string[];
  readonly reload?: boolean | undefined;
}

const control = /[\u0000-\u001f\u007f]/;

export const configSchema: z.ZodType<ExecConfig> = z.strictObject({
  program: z
    .string()
    .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be the name of an entry, in small letters")
    .describe("An entry of the worker's settings (`REKEY_EXEC_CONSUMERS_FILE`), never a path or a command"),
  target: z
    .string()
    .min(1)
    .max(512)
    .refine((text) => !control.test(text) && text.isWellFormed(), { message: "must be without control characters" })
    .describe("What the program knows the target by; it is told on standard input, never as an argument"),
  fields: z
    .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, "must be a field of the issuer's value"))
    .min(1)
    .max(32)
    .refine((all) => new Set(all).size === all.length, { message: "must name each field once" })
    .describe("Fields of the value that the target gets"),
  reload: z
    .boolean()
    .optional()
    .describe("Whether the program is asked to tell the application after a delivery; false without it"),
});
