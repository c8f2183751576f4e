import { z } from "zod";
import { longestOpenMs } from "../calendar/windows.ts";
import { deadlineOutcomes, emergencyOrders } from "../domain/emergency.ts";
import { strengths } from "../domain/evidence.ts";
import { effectivePolicy, type GivenPolicy, type Policy } from "../domain/policy.ts";
import { watchedBeforeEndMs } from "../domain/watched.ts";
import { durationSchema, showDuration } from "./duration.ts";
import { routineFields, showRoutine } from "./routine-fields.ts";

/** A duration of the policy that is missing below does not compile. */
type DurationName = keyof Policy extends infer K ? (K extends `${infer N}Ms` ? N : never) : never;

/** How the manifest calls each duration of the domain's policy. */
const durations = {
  grace: "graceMs",
  graceMin: "graceMinMs",
  graceMax: "graceMaxMs",
  disabledFor: "disabledForMs",
  observeFor: "observeForMs",
  lookEvery: "lookEveryMs",
  holdAfter: "holdAfterMs",
  retryFirst: "retryFirstMs",
  retryLongest: "retryLongestMs",
  jitter: "jitterMs",
  maxAge: "maxAgeMs",
  aheadOfExpiry: "aheadOfExpiryMs",
  startWithin: "startWithinMs",
  emergencyDeadline: "emergencyDeadlineMs",
  deadWatch: "deadWatchMs",
  backOff: "backOffMs",
  notice: "noticeMs",
  lastOneAfter: "lastOneAfterMs",
} as const satisfies { readonly [N in DurationName]: `${N}Ms` };

const names = Object.keys(durations) as DurationName[];
const durationFields = Object.fromEntries(names.map((name) => [name, durationSchema.optional()])) as Record<
  DurationName,
  z.ZodOptional<typeof durationSchema>
>;

/** A wait that never looks again would spin or sleep for ever; a version that may not have any age is never in use. */
const neverNothing = ["lookEvery", "retryFirst", "retryLongest", "maxAge", "backOff", "emergencyDeadline"] as const;

/** What a manifest says of a policy. What is left out is said further up, or by default. */
export const policySchema = z
  .strictObject({
    ...durationFields,
    answersInRow: z.int().min(1).max(20).optional(),
    attempts: z.int().min(1).max(100).optional(),
    evidence: z.enum(strengths).optional(),
    emergencyOutcome: z.enum(deadlineOutcomes).optional(),
    emergencyOrder: z.enum(emergencyOrders).optional(),
    ...routineFields,
  })
  .superRefine((policy, context) => {
    const refuse = (name: keyof typeof policy, message: string) =>
      context.addIssue({ code: "custom", path: [name], message });
    for (const name of neverNothing) if (policy[name] === 0) refuse(name, "must be longer than nothing");
    const { grace = 0, graceMin = 0, graceMax = Infinity } = policy;
    if (graceMin > graceMax) refuse("graceMin", "must not be longer than graceMax");
    if (policy.grace !== undefined && grace < graceMin) refuse("grace", "must not be shorter than graceMin");
    if (grace > graceMax) refuse("grace", "must not be longer than graceMax");
  });

/** The domain's words for what a manifest says. */
export function givenPolicy(said: z.output<typeof policySchema>): GivenPolicy {
  const own = Object.entries(said).flatMap(([name, value]): readonly (readonly [string, unknown])[] =>
    value === undefined ? [] : [[name in durations ? durations[name as DurationName] : name, value]],
  );
  return Object.fromEntries(own);
}

/** Why what would rule a credential can never work; undefined when it can. */
export function policyTrouble(given: readonly GivenPolicy[]): string | undefined {
  const { schedule, maxAgeMs, graceMs, disabledForMs, observeForMs, windows } = effectivePolicy(...given);
  const leastMs = graceMs + disabledForMs + observeForMs;
  const takes = `a rotation takes at least ${showDuration(leastMs)} (grace ${showDuration(graceMs)}, disabledFor ${showDuration(disabledForMs)}, observeFor ${showDuration(observeForMs)})`;
  if (schedule.kind === "every" && schedule.everyMs <= leastMs)
    return `schedule.every ${showDuration(schedule.everyMs)} can never be kept: ${takes}`;
  if (maxAgeMs !== undefined && maxAgeMs <= leastMs)
    return `maxAge ${showDuration(maxAgeMs)} can never be kept: ${takes}`;
  const openMs = windows === undefined ? undefined : longestOpenMs(windows);
  // It begins anew whenever the window closes, for nobody is refused long after it was seen that nobody is there.
  const watchMs = watchedBeforeEndMs({ graceMs, observeForMs });
  if (openMs !== undefined && openMs <= watchMs)
    return `windows are open for ${showDuration(openMs)} at a stretch, and right before the old version is disabled its use is watched for ${showDuration(watchMs)} within one (observeFor ${showDuration(observeForMs)})`;
  return undefined;
}

/** In one line for people; what has parts of its own as YAML would write it. */
export function policyLine(policy: GivenPolicy): string {
  const said = (value: unknown): string =>
    typeof value === "object" && value !== null
      ? `{ ${Object.entries(value)
          .map(([name, part]) => `${name}: ${Array.isArray(part) ? `${part.length} times` : String(part)}`)
          .join(", ")} }`
      : String(value);
  return Object.entries(showPolicy(policy))
    .map(([name, value]) => `${name} ${said(value)}`)
    .join(", ");
}

/** A policy as a manifest would say it, with all that it says. */
export function showPolicy(policy: GivenPolicy): Readonly<Record<string, unknown>> {
  const shown = names.flatMap((name) => {
    const ms = policy[durations[name]];
    return ms === undefined ? [] : [[name, showDuration(ms)] as const];
  });
  const { answersInRow, attempts, evidence, emergencyOutcome, emergencyOrder } = policy;
  return {
    ...Object.fromEntries(shown),
    ...(answersInRow === undefined ? {} : { answersInRow }),
    ...(attempts === undefined ? {} : { attempts }),
    ...(evidence === undefined ? {} : { evidence }),
    ...(emergencyOutcome === undefined ? {} : { emergencyOutcome }),
    ...(emergencyOrder === undefined ? {} : { emergencyOrder }),
    ...showRoutine(policy),
  };
}
