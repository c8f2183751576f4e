import { RekeyError } from "../domain/errors.ts";
import type { Step } from "../domain/order.ts";
import type { StepAnswer } from "../domain/standing.ts";
import { beginSteps, type Begun, type Carried } from "../ledger/begin-steps.ts";
import type { Ledger } from "../ledger/database.ts";
import {
  failSteps,
  finishSteps,
  waitSteps,
  type Finish,
  type StepFailure,
  type StepWait,
} from "../ledger/finish-steps.ts";
import { readCases, type RotationCase } from "../ledger/rotation-cases.ts";
import { together } from "./together.ts";

/** What a step asks of the ledger and tells it, of one rotation. */
export interface StepBooks {
  /** Undefined: there is no such rotation. */
  begin(step: Step | "undo", carried: Carried): Promise<Begun | undefined>;
  read(rotationId: string): Promise<RotationCase | undefined>;
  finish(done: Finish): Promise<void>;
  wait(until: StepWait): Promise<void>;
  fail(failure: StepFailure): Promise<StepAnswer | undefined>;
}

/** A transaction of fifty costs hardly more than one of one; two beside each other keep the ledger busy. */
const how = {
  ...{ most: 50, beside: 2 },
  // Whether its last word was heard is not known: the orchestrator asks again, and finds what was recorded.
  isEverybodys: (error: unknown) => error instanceof RekeyError && error.code === "ledger_unreachable",
};

/**
 * The ledger of all steps that a worker takes at one time: what they ask while a transaction is on its way goes into the next
 * one. What hurries has books of its own, so that it never waits behind routine work.
 */
export function createStepBooks(ledger: Ledger): (isUrgent: boolean) => StepBooks {
  const [urgent, routine] = [openBooks(ledger), openBooks(ledger)];
  return (isUrgent) => (isUrgent ? urgent : routine);
}

function openBooks(ledger: Ledger): StepBooks {
  const beginners = new Map<string, (carried: Carried) => Promise<Begun | undefined>>();
  const beginnerOf = (step: Step | "undo") => {
    const found = beginners.get(step);
    if (found !== undefined) return found;
    const made = together<Carried, Begun | undefined>(async (carried) => {
      const begun = await beginSteps(ledger, { step, carried });
      return carried.map(({ rotationId }) => begun.get(rotationId));
    }, how);
    beginners.set(step, made);
    return made;
  };
  return {
    begin: async (step, carried) => beginnerOf(step)(carried),
    read: together(async (ids: readonly string[]) => {
      const cases = await readCases(ledger.db, ids);
      return ids.map((id) => cases.get(id));
    }, how),
    finish: together(async (done: readonly Finish[]) => {
      await finishSteps(ledger, done);
      return done.map(() => undefined);
    }, how),
    wait: together(async (waits: readonly StepWait[]) => {
      await waitSteps(ledger, waits);
      return waits.map(() => undefined);
    }, how),
    fail: together(async (failures: readonly StepFailure[]) => {
      const answers = await failSteps(ledger, failures);
      return failures.map(({ rotationId }) => answers.get(rotationId));
    }, how),
  };
}
