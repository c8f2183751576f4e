import { sweepDue } from "../ledger/sweep-due.ts";
import type { StepDeps } from "./step-deps.ts";

export interface SweepSteps {
  /** Whether there may be more to do at once. */
  readonly sweep: () => Promise<boolean>;
}

export async function sweep({ ledger }: StepDeps): Promise<boolean> {
  return (await sweepDue(ledger)).isMore;
}
