import { proxyActivities } from "@temporalio/workflow";
import type { CheckSteps } from "../activities/create-activities.ts";
import { lookUntil } from "./look-until.ts";

const steps = proxyActivities<CheckSteps>({
  taskQueue: "rekey.default",
  startToCloseTimeout: "2 minutes",
  heartbeatTimeout: "5 seconds",
  retry: { initialInterval: "500 milliseconds", maximumInterval: "10 seconds" },
});

/** Looks outside on somebody's request and leaves what it found in the ledger. */
export async function runCheck(checkId: string): Promise<void> {
  await lookUntil(checkId)("preflight", async () => steps.runCheckStep(checkId));
}
