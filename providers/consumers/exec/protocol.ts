import { z } from "zod";
import type { Claim } from "../../../domain/claim.ts";
import type { Code } from "../../../domain/errors.ts";
import type { Texts } from "./content.ts";

export const protocol = 1;

/** What a program may say that went wrong. Any other code would let it decide on what is not at its target. */
export const programCodes = [
  "target_unreachable",
  "target_read_only",
  "target_full",
  "target_refused",
  "target_drift",
  "target_malformed",
  "reload_failed",
  "claim_outdated",
  "value_unfit",
] as const satisfies readonly Code[];

export type ProgramCode = (typeof programCodes)[number];

/** What is asked, besides what every request carries. */
export type Question =
  | { readonly action: "preflight"; readonly values: readonly Texts[] }
  | { readonly action: "observe" }
  | {
      readonly action: "deliver";
      readonly version: number;
      readonly number: Claim;
      readonly value: Texts;
      readonly expected?: string | undefined;
    }
  | { readonly action: "reload" };

export type Action = Question["action"];

const whole = z.int().min(0);
const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** The answer to each action; what else stands in it is ignored, so that a program may be newer than its worker. */
export const answers = {
  preflight: z.object({ findings: z.array(z.string()).max(100) }),
  observe: z.object({
    digest,
    isEmpty: z.boolean(),
    number: z.object({ epoch: whole, number: whole }).nullish(),
  }),
  deliver: z.object({ digest }),
  reload: z.object({}),
} as const satisfies Record<Action, z.ZodType>;

export type Answer<A extends Action> = z.output<(typeof answers)[A]>;

/** What every answer carries. */
export const envelope = z.object({ protocol: z.number(), id: z.string(), error: z.string().optional() });
