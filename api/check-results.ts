import { z } from "zod";
import type { CheckKind } from "../domain/check.ts";

/** What a check of each kind says besides its findings. What a worker writes beyond it, nobody gets. */
export const checkResults = {
  adopt: z.null(),
} as const satisfies Readonly<Record<CheckKind, z.ZodType>>;
