import { proxyLocalActivities } from "@temporalio/workflow";
import type { SweepSteps } from "../activities/sweep.ts";

const { sweep } = proxyLocalActivities<SweepSteps>({ startToCloseTimeout: "30 seconds" });

/** Far more than any backlog needs: caps end a sweep long before. */
const mostRounds = 100;

/** Reserves what is due. The ledger knows what that is; a sweep that ends early leaves the rest to the next one. */
export async function sweepDue(): Promise<void> {
  for (let round = 0; round < mostRounds; round += 1) if (!(await sweep())) return;
}
