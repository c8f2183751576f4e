// The change that the replay test must catch: a story that begins with another step.
import { proxyActivities } from "@temporalio/workflow";
import type { RotationSteps } from "../../activities/create-activities.ts";

const steps = proxyActivities<RotationSteps>({ taskQueue: "rekey.default", startToCloseTimeout: "5 minutes" });

export async function rotateCredential(rotationId: string): Promise<void> {
  await steps.deliver(rotationId);
  await steps.preflight(rotationId);
}
