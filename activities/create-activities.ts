import { Context } from "@temporalio/activity";
import type { Order, Step } from "../domain/order.ts";
import type { StepAnswer } from "../domain/standing.ts";
import { readPlace, type Carrier } from "../ledger/begin-steps.ts";
import { adopt } from "./adopt.ts";
import { close } from "./close.ts";
import { deliver } from "./deliver.ts";
import { disable } from "./disable.ts";
import { drain } from "./drain.ts";
import { atBoundary } from "./failure-boundary.ts";
import { guard } from "./guard.ts";
import { cut, issue, stage } from "./issue.ts";
import { preflight } from "./preflight.ts";
import { promote } from "./promote.ts";
import { prove } from "./prove.ts";
import { end, revoke } from "./revoke.ts";
import { runCheck } from "./run-check.ts";
import { rush } from "./rush.ts";
import type { StepDeps } from "./step-deps.ts";
import { sweep, type SweepSteps } from "./sweep.ts";
import { takeStepPatiently, type StepWork } from "./step-frame.ts";
import { undo } from "./undo.ts";

/** What each step does. */
export const works: Readonly<Record<Step | "undo", StepWork>> = {
  preflight,
  issue,
  stage,
  cut,
  deliver,
  adopt,
  promote,
  drain,
  disable,
  guard,
  revoke,
  end,
  prove,
  close,
  undo,
};

/** What the workflow of a rotation calls. All it gives is the rotation's id. */
export type RotationSteps = {
  readonly [S in Step | "undo"]: (rotationId: string) => Promise<StepAnswer>;
} & {
  /** All of its steps one after the other, for a rotation that hurries, until it is over or has to wait. */
  readonly rush: (rotationId: string) => Promise<StepAnswer>;
  /** Null when there is no such rotation. */
  readonly readOrder: (rotationId: string) => Promise<Order | null>;
};

export interface CheckSteps {
  readonly runCheckStep: (checkId: string) => Promise<StepAnswer>;
}

const heartbeatMs = 1_000;
/** A step comes back this much before Temporal gives it up, so that it can still record what happened. */
const reserveMs = 15_000;

export function createActivities(deps: StepDeps): RotationSteps & CheckSteps & SweepSteps {
  const logged = (error: unknown): void =>
    deps.log("activity.unexpected", { error: error instanceof Error ? (error.stack ?? error.name) : typeof error });
  const guarded = async <T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> =>
    atBoundary(logged, async () => beating(work));
  const stepNames = Object.keys(works) as (keyof typeof works)[];
  const steps = stepNames.map((step) => [
    step,
    async (rotationId: string): Promise<StepAnswer> => guarded(async (signal) => take(step, rotationId, signal)),
  ]);
  const { precedence } = deps;
  const take = async (step: Step | "undo", rotationId: string, signal: AbortSignal): Promise<StepAnswer> => {
    await precedence.letPass();
    return now(step, rotationId, signal);
  };
  const now = async (step: Step | "undo", rotationId: string, signal: AbortSignal): Promise<StepAnswer> => {
    return takeStepPatiently(deps, step, { rotationId, carrier: carrierNow(), signal }, works[step]);
  };
  return {
    ...(Object.fromEntries(steps) as Record<Step | "undo", (rotationId: string) => Promise<StepAnswer>>),
    rush: async (rotationId) =>
      guarded(async (signal) =>
        rush({
          place: async () => readPlace(deps.ledger, rotationId),
          take: async (step, isFirst) =>
            isFirst ? precedence.first(async () => now(step, rotationId, signal)) : take(step, rotationId, signal),
          mustQueue: precedence.isPassing,
        }),
      ),
    readOrder: async (rotationId) => guarded(async () => (await readPlace(deps.ledger, rotationId))?.order ?? null),
    sweep: async () => guarded(async () => sweep(deps)),
    runCheckStep: async (checkId) => guarded(async (signal) => runCheck(deps, checkId, signal)),
  };
}

/** Tells Temporal that the step lives, and ends it in time when it is cancelled or too slow. */
async function beating<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { info, cancellationSignal } = Context.current();
  const deadline = AbortSignal.timeout(Math.max(info.startToCloseTimeoutMs - reserveMs, 1_000));
  const timer = setInterval(() => Context.current().heartbeat(), heartbeatMs);
  try {
    return await work(AbortSignal.any([cancellationSignal, deadline]));
  } finally {
    clearInterval(timer);
  }
}

function carrierNow(): Carrier {
  const { workflowExecution, taskQueue } = Context.current().info;
  const isUrgent = taskQueue.endsWith(".urgent");
  return { workflow: workflowExecution?.workflowId ?? "", run: workflowExecution?.runId ?? "", isUrgent };
}
