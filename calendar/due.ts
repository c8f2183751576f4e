import { spreadOf, type Schedule } from "../domain/routine.ts";
import { nextCron } from "./cron.ts";

/** What of a policy says when a credential is due. */
export interface DuePolicy {
  readonly schedule: Schedule;
  /** Up to so much later, by where the credential's id lies. */
  readonly jitterMs: number;
  /** No version may be older. */
  readonly maxAgeMs?: number | undefined;
  /** So long before the credential expires. */
  readonly aheadOfExpiryMs: number;
}

export interface DueQuestion {
  readonly credentialId: string;
  readonly policy: DuePolicy;
  /** When the version in use was made. Milliseconds since 1970. */
  readonly bornMs: number;
  readonly expiresMs?: number | undefined;
}

export const dueReasons = ["schedule", "age", "expiry"] as const;
export type DueReason = (typeof dueReasons)[number];

export interface Due {
  readonly atMs: number;
  readonly because: DueReason;
}

/** When the version in use has to be replaced, and why then; undefined when only a person asks for it. */
export function dueOf({ credentialId, policy, bornMs, expiresMs }: DueQuestion): Due | undefined {
  const scheduled = scheduledAfter(policy.schedule, bornMs);
  const found: Due[] = [];
  if (scheduled !== undefined)
    found.push({ atMs: scheduled + Math.floor(spreadOf(credentialId) * policy.jitterMs), because: "schedule" });
  if (policy.maxAgeMs !== undefined) found.push({ atMs: bornMs + policy.maxAgeMs, because: "age" });
  if (expiresMs !== undefined) found.push({ atMs: expiresMs - policy.aheadOfExpiryMs, because: "expiry" });
  // A version that was made after the expiry's time has come is what the expiry asked for.
  const open = found.filter(({ atMs, because }) => because !== "expiry" || atMs > bornMs);
  return open.toSorted((a, b) => a.atMs - b.atMs)[0];
}

function scheduledAfter(schedule: Schedule, afterMs: number): number | undefined {
  if (schedule.kind === "manual") return undefined;
  if (schedule.kind === "every") return afterMs + schedule.everyMs;
  return nextCron(schedule.cron, schedule.timeZone, afterMs);
}
