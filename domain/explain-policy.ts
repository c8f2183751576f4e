import { defaultPolicy, effectivePolicy, type GivenPolicy, type Policy } from "./policy.ts";

/** One place that says something of a policy. */
export interface PolicyLevel {
  /** `team shop`, for people. */
  readonly from: string;
  readonly policy: GivenPolicy;
}

type Value = NonNullable<Policy[keyof Policy]>;

interface Said {
  readonly from: string;
  readonly value: Value;
}

export interface ExplainedField extends Said {
  readonly field: keyof Policy;
  /** What others say, the narrowest first, and the default. */
  readonly overruled: readonly Said[];
}

/** As people ask: when, then whether it may, then how. The same in each explanation, so that two can be laid side by side. */
const inOrder: Readonly<Record<keyof Policy, true>> = {
  ...{ schedule: true, jitterMs: true, maxAgeMs: true, aheadOfExpiryMs: true },
  ...{ windows: true, pause: true, startWithinMs: true, backOffMs: true, noticeMs: true },
  ...{ graceMs: true, graceMinMs: true, graceMaxMs: true, disabledForMs: true },
  ...{ evidence: true, observeForMs: true, lookEveryMs: true, holdAfterMs: true, answersInRow: true },
  ...{ attempts: true, retryFirstMs: true, retryLongestMs: true, lastOneAfterMs: true },
  ...{ emergencyOrder: true, emergencyDeadlineMs: true, emergencyOutcome: true, deadWatchMs: true },
};

const byDefault: PolicyLevel = { from: "default", policy: defaultPolicy };

/** Each value that rules a credential, and who says it. The levels come narrowest first. */
export function explainPolicy(levels: readonly PolicyLevel[]): readonly ExplainedField[] {
  const all = [...levels, byDefault];
  return (Object.keys(inOrder) as (keyof Policy)[]).flatMap((field) => {
    const said = all.flatMap(({ from, policy }): readonly Said[] => {
      const value = policy[field];
      return value === undefined ? [] : [{ from, value }];
    });
    const bound = field === "graceMs" ? boundOf(levels, said[0]?.value) : undefined;
    const [ruling, ...overruled] = bound === undefined ? said : [bound, ...said];
    return ruling === undefined ? [] : [{ field, ...ruling, overruled }];
  });
}

/** The bound that the grace is held to, and who sets it; undefined when it stays what it is. */
function boundOf(levels: readonly PolicyLevel[], grace: Value | undefined): Said | undefined {
  const { graceMs, graceMaxMs } = effectivePolicy(...levels.map(({ policy }) => policy));
  if (graceMs === grace) return undefined;
  const bound = graceMs === graceMaxMs ? "graceMaxMs" : "graceMinMs";
  const by = levels.find(({ policy }) => policy[bound] !== undefined)?.from ?? "";
  return { from: `${by}, by ${bound.slice(0, -2)}`, value: graceMs };
}
