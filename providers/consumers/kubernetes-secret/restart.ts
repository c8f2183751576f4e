import { OperatorNeededError, RekeyError, TransientError } from "../../../domain/errors.ts";
import { patchObject } from "./api.ts";
import { workloadKinds, workloadsOf, type WorkloadRef } from "./config.ts";
import { annotationOf, managerOf, writtenNumber } from "./owners.ts";
import { numberIn, readSecret, type Target } from "./target.ts";

export const workloadRight = ({ kind, name }: WorkloadRef) => ({ ...workloadKinds[kind], name });

/** What makes the pods anew, and each of them show for which delivery. The same number once more changes nothing. */
function marked({ kind }: WorkloadRef, consumer: string, number: string): unknown {
  const template = { metadata: { annotations: { [annotationOf(consumer)]: number } } };
  return { spec: kind === "CronJob" ? { jobTemplate: { spec: { template } } } : { template } };
}

/** The same by hand, for whoever has more rights. */
export function byHand({ config, consumer }: Target, workload: WorkloadRef, number: string): string {
  const patch = JSON.stringify(marked(workload, consumer, number));
  const what = `${workload.kind.toLowerCase()} ${workload.name}`;
  return `kubectl -n ${config.namespace} patch ${what} --type merge -p '${patch}'`;
}

async function restartOne(target: Target, workload: WorkloadRef, number: string): Promise<void> {
  const { api, consumer, config } = target;
  const done = await patchObject(api, {
    of: workloadRight(workload),
    how: "merge",
    fieldManager: managerOf(consumer),
    json: marked(workload, consumer, number),
  });
  if (done === "conflict")
    throw new TransientError(
      "target_drift",
      `${workload.kind}/${workload.name} kept changing. It will be tried again.`,
    );
  if (done === "absent")
    throw new OperatorNeededError(
      "reload_failed",
      `There is no ${workload.kind}/${workload.name} in namespace ${config.namespace}.`,
    );
}

/** Restarts every workload, so that its pods read the Secret as it is now. */
export async function restart(target: Target): Promise<void> {
  const number = numberIn(await readSecret(target), target);
  if (number === undefined)
    throw new OperatorNeededError(
      "reload_failed",
      "The Secret does not carry our delivery any more. Retry delivers it again.",
    );
  for (const workload of workloadsOf(target.config)) {
    try {
      await restartOne(target, workload, writtenNumber(number));
    } catch (error) {
      if (!(error instanceof RekeyError) || error instanceof TransientError) throw error;
      throw new OperatorNeededError(
        "reload_failed",
        `${error.detail}\nThe Secret is written. Mend that and retry, or restart it by hand, so that its pods show the delivery:\n  ${byHand(target, workload, writtenNumber(number))}`,
      );
    }
  }
}
