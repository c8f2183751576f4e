import { z } from "zod";
import { strengths } from "../domain/evidence.ts";
import { defaultPolicy, type Policy } from "../domain/policy.ts";
import { durationSchema, showDuration } from "./duration.ts";

/** A duration of the policy that is missing below does not compile. */
type DurationName = keyof Policy extends infer K ? (K extends `${infer N}Ms` ? N : never) : never;

/** How the manifest calls each duration of the domain's policy. */
const durations = {
  grace: "graceMs",
  disabledFor: "disabledForMs",
  observeFor: "observeForMs",
  lookEvery: "lookEveryMs",
  holdAfter: "holdAfterMs",
  retryFirst: "retryFirstMs",
  retryLongest: "retryLongestMs",
} as const satisfies { readonly [N in DurationName]: `${N}Ms` };

const names = Object.keys(durations) as DurationName[];
const durationFields = Object.fromEntries(names.map((name) => [name, durationSchema.optional()])) as Record<
  DurationName,
  z.ZodOptional<typeof durationSchema>
>;

/** `Credential.spec.policy`. What is left out keeps its default. */
export const policySchema = z
  .strictObject({
    ...durationFields,
    answersInRow: z.int().min(1).max(20).optional(),
    attempts: z.int().min(1).max(100).optional(),
    evidence: z.enum(strengths).optional(),
  })
  .superRefine((policy, context) => {
    // A wait that never looks again would spin or sleep for ever.
    for (const name of ["lookEvery", "retryFirst", "retryLongest"] as const)
      if (policy[name] === 0)
        context.addIssue({ code: "custom", path: [name], message: "must be longer than nothing" });
  });

/** The domain's policy of what a manifest says. */
export function asPolicy(given: z.output<typeof policySchema>): Policy {
  const { answersInRow, attempts, evidence } = given;
  const own = names.flatMap((name) => (given[name] === undefined ? [] : [[durations[name], given[name]]]));
  return {
    ...defaultPolicy,
    ...(Object.fromEntries(own) as Partial<Policy>),
    ...(answersInRow === undefined ? {} : { answersInRow }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(evidence === undefined ? {} : { evidence }),
  };
}

/** The policy as a manifest would say it, to show what changes. */
export function showPolicy(policy: Policy): Readonly<Record<string, string | number>> {
  const shown: Record<string, string> = Object.fromEntries(
    names.map((name) => [name, showDuration(policy[durations[name]])]),
  );
  const { answersInRow, attempts, evidence } = policy;
  return { ...shown, answersInRow, attempts, ...(evidence === undefined ? {} : { evidence }) };
}
