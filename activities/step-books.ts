import { RekeyError, type Code } from "../domain/errors.ts";
import type { Step } from "../domain/order.ts";
import type { StepAnswer } from "../domain/standing.ts";
import { beginSteps, type Begun, type Carried, type Patience } from "../ledger/begin-steps.ts";
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
const how = <One extends { readonly rotationId: string } | string>() => ({
  ...{ most: 50, beside: 2 },
  keyOf: (one: One) => (typeof one === "string" ? one : one.rotationId),
  // Whether its last word was heard is not known: the orchestrator asks again, and finds what was recorded.
  isEverybodys: isCode("ledger_unreachable"),
  isBusy: isCode("ledger_busy"),
});

const isCode = (code: Code) => (error: unknown) => error instanceof RekeyError && error.code === code;
const patience = (mayWait: boolean): Patience => (mayWait ? "some" : "none");

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
    const made = together<Carried, Begun | undefined>(async (carried, mayWait) => {
      const begun = await beginSteps(ledger, { step, carried }, patience(mayWait));
      return carried.map(({ rotationId }) => begun.get(rotationId));
    }, how());
    beginners.set(step, made);
    return made;
  };
  return {
    begin: async (step, carried) => beginnerOf(step)(carried),
    read: together(async (ids: readonly string[]) => {
      const cases = await readCases(ledger.db, ids);
      return ids.map((id) => cases.get(id));
    }, how()),
    finish: together(async (done: readonly Finish[], mayWait) => {
      await finishSteps(ledger, done, patience(mayWait));
      return done.map(() => undefined);
    }, how()),
    wait: together(async (waits: readonly StepWait[], mayWait) => {
      await waitSteps(ledger, waits, patience(mayWait));
      return waits.map(() => undefined);
    }, how()),
    fail: together(async (failures: readonly StepFailure[], mayWait) => {
      const answers = await failSteps(ledger, failures, patience(mayWait));
      return failures.map(({ rotationId }) => answers.get(rotationId));
    }, how()),
  };
}
