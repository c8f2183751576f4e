import { z } from "zod";

/** A registration of a target that a program serves. */
export interface ExecConfig {
  /** An entry of the worker's settings, never a path or a command. */
  readonly program: string;
  /** What the program knows the target by. It is told on standard input, never as an argument. */
  readonly target: string;
  /** Fields of the issuer's value that the target gets. */
  readonly fields: readonly string[];
  /** Whether the program is asked to tell the application after a delivery. Default false. */
  readonly reload?: boolean | undefined;
}

const control = /[\u0000-\u001f\u007f]/;

export const configSchema: z.ZodType<ExecConfig> = z.strictObject({
  program: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "must be the name of an entry, in small letters"),
  target: z
    .string()
    .min(1)
    .max(512)
    .refine((text) => !control.test(text) && text.isWellFormed(), { message: "must be without control characters" }),
  fields: z
    .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/, "must be a field of the issuer's value"))
    .min(1)
    .max(32)
    .refine((all) => new Set(all).size === all.length, { message: "must name each field once" }),
  reload: z.boolean().optional(),
});
