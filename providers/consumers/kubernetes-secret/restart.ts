import { OperatorNeededError, RekeyError, TransientError } from "../../../domain/errors.ts";
import { compareClaims, type Claim } from "../../../domain/claim.ts";
import { getObject, patchObject } from "./api.ts";
import { workloadKinds, workloadsOf, type WorkloadRef } from "./config.ts";
import { templateOf, workloadObject } from "./objects.ts";
import { annotationOf, managerOf, readNumber, writtenNumber } from "./owners.ts";
import { numberIn, readSecret, type Target } from "./target.ts";

export const workloadRight = ({ kind, name }: WorkloadRef) => ({ ...workloadKinds[kind], name });

/** What makes the pods anew, and each of them show for which delivery. The same number once more changes nothing. */
function marked({ kind }: WorkloadRef, consumer: string, number: string): object {
  const template = { metadata: { annotations: { [annotationOf(consumer)]: number } } };
  return { spec: kind === "CronJob" ? { jobTemplate: { spec: { template } } } : { template } };
}

/** The same by hand, for whoever has more rights. */
export function byHand({ config, consumer }: Target, workload: WorkloadRef, number: string): string {
  const patch = JSON.stringify(marked(workload, consumer, number));
  const what = `${workload.kind.toLowerCase()} ${workload.name}`;
  return `kubectl -n ${config.namespace} patch ${what} --type merge -p '${patch}'`;
}

/** A rollout that is under way changes its workload's status again and again. */
const mostRounds = 10;

/** Only the workload that was read: one that a later delivery has restarted meanwhile is left as it is. */
async function restartOne(target: Target, workload: WorkloadRef, number: Claim): Promise<void> {
  const { api, consumer, config } = target;
  const of = workloadRight(workload);
  for (let round = 0; round < mostRounds; round += 1) {
    const found = await getObject(api, of, workloadObject);
    const carried = readNumber(found && templateOf(found)?.metadata?.annotations?.[annotationOf(consumer)]);
    if (carried !== undefined && compareClaims(carried, number) >= 0) return;
    const { resourceVersion } = found?.metadata ?? {};
    const json = { metadata: { resourceVersion }, ...marked(workload, consumer, writtenNumber(number)) };
    const isThere = found !== undefined;
    const done = isThere && (await patchObject(api, { of, how: "merge", fieldManager: managerOf(consumer), json }));
    if (done === "done") return;
    if (done !== "conflict")
      throw new OperatorNeededError(
        "reload_failed",
        `There is no ${workload.kind}/${workload.name} in namespace ${config.namespace}.`,
      );
  }
  throw new TransientError("target_drift", `${workload.kind}/${workload.name} kept changing. It will be tried again.`);
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
      await restartOne(target, workload, number);
    } catch (error) {
      if (!(error instanceof RekeyError) || error instanceof TransientError) throw error;
      throw new OperatorNeededError(
        "reload_failed",
        `${error.detail}\nThe Secret is written. Mend that and retry, or restart it by hand, so that its pods show the delivery:\n  ${byHand(target, workload, writtenNumber(number))}`,
      );
    }
  }
}
