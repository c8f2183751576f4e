import { setTimeout as pause } from "node:timers/promises";
import { OperatorNeededError, RekeyError, TransientError, type Code } from "../domain/errors.ts";
import type { Gap } from "../domain/guard.ts";
import type { Step } from "../domain/order.ts";
import { longestWaitMs, type StepAnswer } from "../domain/standing.ts";
import { beginSteps, type Carrier } from "../ledger/begin-steps.ts";
import { asUnreachable } from "../ledger/database.ts";
import {
  failSteps,
  finishSteps,
  waitSteps,
  type Finish,
  type StepFailure,
  type StepWait,
} from "../ledger/finish-steps.ts";
import type { Turn } from "../ledger/operations.ts";
import { readCases, type RotationCase } from "../ledger/rotation-cases.ts";
import type { CurrentVersion, VersionChange } from "../ledger/versions.ts";
import type { ProviderContext } from "../providers/contract/context.ts";
import { failpoint } from "./failpoint.ts";
import type { StepDeps } from "./step-deps.ts";

/** One rotation in one step. */
export interface StepScene {
  readonly deps: StepDeps;
  readonly one: RotationCase;
  /** Absent for a step that only looks. */
  readonly turn: Turn | undefined;
  readonly context: ProviderContext;
}

export type StepResult =
  /** The step is done; versions, and which is current, change with it in one transaction. */
  | {
      readonly does: "finish";
      readonly versions?: readonly VersionChange[];
      readonly current?: CurrentVersion;
      readonly stays?: boolean;
    }
  | { readonly does: "wait"; readonly waitMs: number }
  | { readonly does: "hold"; readonly code: Code; readonly detail: string; readonly gaps: readonly Gap[] }
  /** The work has recorded what it did by itself. */
  | { readonly does: "answer"; readonly answer: StepAnswer };

export type StepWork = (scene: StepScene) => Promise<StepResult>;

export interface StepCall {
  readonly rotationIds: readonly string[];
  readonly carrier: Carrier;
  /** Cancels what the step does outside; it has to come back before its time is over. */
  readonly signal: AbortSignal;
}

/** An error that asks a person and names what a decision has to name. */
export class GapsFoundError extends OperatorNeededError {
  readonly gaps: readonly Gap[];
  constructor(code: Code, detail: string, gaps: readonly Gap[]) {
    super(code, detail);
    this.gaps = gaps;
  }
}

/** Temporal's timers have a grain of a second: what is shorter is waited out here, for so long at most. */
const shortWaitMs = 1_000;
const waitHereMs = 5_000;

/** Takes a step, and again after each short wait. Every time it hears what people have said meanwhile. */
export async function takeStepPatiently(
  deps: StepDeps,
  step: Step | "undo",
  call: StepCall,
  work: StepWork,
): Promise<Map<string, StepAnswer>> {
  const end = performance.now() + waitHereMs;
  for (;;) {
    const answers = await takeStep(deps, step, call, work);
    const waits = [...answers.values()].map((answer) => (answer.now === "wait" ? answer.waitMs : Infinity));
    const shortest = Math.min(...waits);
    if (shortest > shortWaitMs || performance.now() + shortest > end) return answers;
    await pause(shortest, undefined, { signal: call.signal });
  }
}

/**
 * Takes a step on many rotations: opens it in one transaction, acts outside on each, and records in one transaction.
 * What fails on one rotation is recorded for that one and stops no other.
 */
async function takeStep(
  deps: StepDeps,
  step: Step | "undo",
  call: StepCall,
  work: StepWork,
): Promise<Map<string, StepAnswer>> {
  failpoint(step, "B0");
  const begun = await beginSteps(deps.ledger, { rotationIds: call.rotationIds, step, carrier: call.carrier });
  failpoint(step, "B1");
  const answers = new Map<string, StepAnswer>();
  const acting: string[] = [];
  for (const rotationId of call.rotationIds) {
    const found = begun.get(rotationId);
    if (found?.acts === true) acting.push(rotationId);
    else answers.set(rotationId, found === undefined ? { now: "over" } : found.answer);
  }
  if (acting.length === 0) return answers;
  const cases = await readCases(deps.ledger.db, acting);
  const results = await Promise.all(
    [...cases.values()].map(async (one) => {
      const turn = turnOf(begun.get(one.rotationId));
      const result = await attempt(work, { deps, one, turn, context: contextFor(deps, call.signal) }, step);
      return { one, turn, result };
    }),
  );
  // A step that waits has done nothing yet: its points lie where it ends.
  const isOver = results.every(({ result }) => !("error" in result) && result.does !== "wait");
  failpoint(step, "B3", isOver);
  for (const [rotationId, answer] of await record(deps, step, results)) answers.set(rotationId, answer);
  failpoint(step, "B4", isOver);
  return answers;
}

interface Attempted {
  readonly one: RotationCase;
  readonly turn: Turn | undefined;
  readonly result: StepResult | StepFailure;
}

const turnOf = (begun: { readonly acts: boolean; readonly turn?: Turn | undefined } | undefined) => begun?.turn;

export function contextFor(deps: StepDeps, signal: AbortSignal): ProviderContext {
  return { signal, fetch: deps.egress, log: deps.log };
}

async function attempt(work: StepWork, scene: StepScene, step: string): Promise<StepResult | StepFailure> {
  try {
    return await work(scene);
  } catch (error) {
    // Our own time is over or the ledger is away: nothing can be recorded, so the orchestrator tries again.
    if (scene.context.signal.aborted || asUnreachable(error) !== undefined) throw asUnreachable(error) ?? error;
    return {
      rotationId: scene.one.rotationId,
      step,
      turn: scene.turn,
      lookedAt: scene.one.lookedAt,
      error: asRekeyError(scene.deps, step, error),
      ...(error instanceof GapsFoundError ? { gaps: error.gaps } : {}),
    };
  }
}

/** What nobody foresaw is tried again and then shown to a person; its text goes to the worker's log only. */
function asRekeyError(deps: StepDeps, step: string, error: unknown): RekeyError {
  if (error instanceof RekeyError) return error;
  deps.log("step.unexpected", { step, error: error instanceof Error ? (error.stack ?? error.name) : typeof error });
  return new TransientError(
    "internal",
    `The step ${step} met an error that it does not know. The worker's log has it.`,
  );
}

async function record(
  deps: StepDeps,
  step: Step | "undo",
  results: readonly Attempted[],
): Promise<ReadonlyMap<string, StepAnswer>> {
  const answers = new Map<string, StepAnswer>();
  const finishes: Finish[] = [];
  const failures: StepFailure[] = [];
  const waits: StepWait[] = [];
  const direction = step === "undo" ? "undo" : "forward";
  for (const { one, turn, result } of results) {
    const { rotationId, order, phase: from, lookedAt } = one;
    if ("error" in result) failures.push(result);
    else if (result.does === "wait") waits.push({ rotationId, direction, turn, lookedAt, waitMs: result.waitMs });
    else if (result.does === "answer") answers.set(rotationId, result.answer);
    else if (result.does === "finish") {
      const { versions = [], current, stays = false } = result;
      finishes.push({ rotationId, order, from, turn, lookedAt, versions, current, stays });
    } else {
      const error = new GapsFoundError(result.code, result.detail, result.gaps);
      failures.push({ rotationId, step, turn, lookedAt, error, gaps: result.gaps });
    }
  }
  await waitSteps(deps.ledger, waits);
  for (const { rotationId, waitMs } of waits)
    answers.set(rotationId, { now: "wait", waitMs: Math.min(waitMs, longestWaitMs) });
  for (const failed of await finish(deps, step, finishes)) failures.push(failed);
  for (const { rotationId } of finishes) answers.set(rotationId, { now: "done" });
  if (failures.length > 0)
    for (const [rotationId, answer] of await failSteps(deps.ledger, failures)) answers.set(rotationId, answer);
  return answers;
}

/** Records all together, or each alone when one of them has lost its turn. */
async function finish(deps: StepDeps, step: string, finishes: readonly Finish[]): Promise<readonly StepFailure[]> {
  if (finishes.length === 0) return [];
  try {
    await finishSteps(deps.ledger, finishes);
    return [];
  } catch (error) {
    if (!(error instanceof RekeyError) || error instanceof TransientError) throw error;
    const [only, ...others] = finishes;
    if (only !== undefined && others.length === 0)
      return [{ rotationId: only.rotationId, step, turn: only.turn, lookedAt: only.lookedAt ?? "", error }];
    const each = await Promise.all(finishes.map(async (one) => finish(deps, step, [one])));
    return each.flat();
  }
}
