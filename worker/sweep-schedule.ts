import { ScheduleNotFoundError, ScheduleOverlapPolicy, type Client } from "@temporalio/client";
import { createTroubleSpell, type SpellListener } from "../domain/trouble-spell.ts";
import { createRounds, type Rounds } from "../ledger/rounds.ts";

export interface SweepScheduleOptions extends SpellListener {
  readonly client: Client;
  /** This installation of rekey: several may share a namespace. */
  readonly instance: string;
  /** Between two sweeps. */
  readonly sweepEveryMs: number;
  /** Between two looks at the schedule. */
  readonly everyMs?: number;
}

export const sweepScheduleId = (instance: string): string => `sweep/${instance}`;

const catchupWindow = "10 minutes";
const { SKIP: overlap } = ScheduleOverlapPolicy;

/**
 * Keeps the Temporal Schedule that sweeps in step with the settings: makes it, makes it again when somebody deleted it or
 * Temporal was restored from before, and takes back what was changed or paused by hand. Any number of workers may do so.
 */
export function createSweepSchedule(options: SweepScheduleOptions): Rounds & { readonly runOnce: () => Promise<void> } {
  const { client, instance, sweepEveryMs, everyMs = 15_000 } = options;
  const scheduleId = sweepScheduleId(instance);
  const spec = { intervals: [{ every: sweepEveryMs }] };
  const action = {
    type: "startWorkflow",
    workflowType: "sweepDue",
    taskQueue: "rekey",
    workflowId: scheduleId,
    args: [],
  } as const;
  const policies = { overlap, catchupWindow } as const;

  async function make(): Promise<void> {
    try {
      await client.schedule.create({ scheduleId, spec, action, policies, state: { triggerImmediately: true } });
    } catch (error) {
      // Another worker was first.
      if (!(error instanceof Error && error.name === "ScheduleAlreadyRunning")) throw error;
    }
  }

  async function runOnce(): Promise<void> {
    const handle = client.schedule.getHandle(scheduleId);
    try {
      const found = await handle.describe();
      const [interval] = found.spec.intervals ?? [];
      const isAsMeant =
        !found.state.paused &&
        Number(interval?.every) === sweepEveryMs &&
        found.spec.intervals?.length === 1 &&
        found.policies.overlap === overlap &&
        found.action.workflowType === action.workflowType &&
        found.action.taskQueue === action.taskQueue;
      if (isAsMeant) return;
      await handle.update((previous) => ({ ...previous, spec, action, policies, state: { paused: false } }));
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
      await make();
    }
  }

  const rounds = createRounds(async () => runOnce().then(() => everyMs), {
    spell: createTroubleSpell(options),
    afterFailureMs: everyMs,
  });
  return { runOnce, ...rounds };
}
