import { sweepDue } from "../ledger/sweep-due.ts";
import { failpoint } from "./failpoint.ts";
import type { StepDeps } from "./step-deps.ts";

export interface SweepSteps {
  /** Whether there may be more to do at once. */
  readonly sweep: () => Promise<boolean>;
}

export async function sweep({ ledger }: StepDeps): Promise<boolean> {
  const { reserved, isMore } = await sweepDue(ledger, (taken) => {
    failpoint("sweep", "B2", taken > 0);
  });
  failpoint("sweep", "B3", reserved > 0);
  return isMore;
}
