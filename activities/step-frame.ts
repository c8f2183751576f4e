import { setTimeout as pause } from "node:timers/promises";
import { OperatorNeededError, RekeyError, TransientError, type Code } from "../domain/errors.ts";
import type { Gap } from "../domain/guard.ts";
import type { Step } from "../domain/order.ts";
import { longestWaitMs, type StepAnswer } from "../domain/standing.ts";
import type { Carried } from "../ledger/begin-steps.ts";
import { asUnreachable } from "../ledger/database.ts";
import type { StepFailure } from "../ledger/finish-steps.ts";
import type { Turn } from "../ledger/operations.ts";
import type { RotationCase } from "../ledger/rotation-cases.ts";
import type { CurrentVersion, VersionChange } from "../ledger/versions.ts";
import type { ProviderContext } from "../providers/contract/context.ts";
import { failpoint } from "./failpoint.ts";
import type { StepBooks } from "./step-books.ts";
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

export interface StepCall extends Carried {
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
): Promise<StepAnswer> {
  const end = performance.now() + waitHereMs;
  for (;;) {
    const answer = await takeStep(deps, step, call, work);
    const waitMs = answer.now === "wait" ? answer.waitMs : Infinity;
    if (waitMs > shortWaitMs || performance.now() + waitMs > end) return answer;
    await pause(waitMs, undefined, { signal: call.signal });
  }
}

/** Takes a step: opens it in one transaction, acts outside, and records what came of it in another. */
async function takeStep(
  deps: StepDeps,
  step: Step | "undo",
  { rotationId, carrier, signal }: StepCall,
  work: StepWork,
): Promise<StepAnswer> {
  const books = deps.books(carrier.isUrgent === true);
  failpoint(step, "B0");
  const begun = await books.begin(step, { rotationId, carrier });
  failpoint(step, "B1");
  if (begun === undefined) return { now: "over" };
  if (!begun.acts) return begun.answer;
  const one = await books.read(rotationId);
  if (one === undefined) return { now: "over" };
  const { turn } = begun;
  const result = await attempt(work, { deps, one, turn, context: contextFor(deps, signal) }, step);
  // A step that waits has done nothing yet: its points lie where it ends.
  const isOver = !("error" in result) && result.does !== "wait";
  failpoint(step, "B3", isOver);
  const answer = await record(books, step, { one, turn, result });
  failpoint(step, "B4", isOver);
  return answer;
}

interface Attempted {
  readonly one: RotationCase;
  readonly turn: Turn | undefined;
  readonly result: StepResult | StepFailure;
}

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

async function record(books: StepBooks, step: Step | "undo", { one, turn, result }: Attempted): Promise<StepAnswer> {
  const { rotationId, order, phase: from, lookedAt } = one;
  if ("error" in result) return failed(books, result);
  if (result.does === "answer") return result.answer;
  if (result.does === "wait") {
    const { waitMs } = result;
    await books.wait({ rotationId, direction: step === "undo" ? "undo" : "forward", turn, lookedAt, waitMs });
    return { now: "wait", waitMs: Math.min(waitMs, longestWaitMs) };
  }
  if (result.does === "hold") {
    const error = new GapsFoundError(result.code, result.detail, result.gaps);
    return failed(books, { rotationId, step, turn, lookedAt, error, gaps: result.gaps });
  }
  const { versions = [], current, stays = false } = result;
  try {
    await books.finish({ rotationId, order, from, turn, lookedAt, versions, current, stays });
    return { now: "done" };
  } catch (error) {
    // It has lost its turn.
    if (!(error instanceof RekeyError) || error instanceof TransientError) throw error;
    return failed(books, { rotationId, step, turn, lookedAt, error });
  }
}

const failed = async (books: StepBooks, failure: StepFailure): Promise<StepAnswer> =>
  (await books.fail(failure)) ?? { now: "over" };
