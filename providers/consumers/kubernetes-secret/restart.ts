import { OperatorNeededError, RekeyError, TransientError } from "../../../domain/errors.ts";
import { compareClaims, type Claim } from "../../../domain/claim.ts";
import { getObject, patchObject } from "./api.ts";
import { workloadRight, workloadsOf, type WorkloadRef } from "./config.ts";
import { templateOf, workloadObject, type SecretObject } from "./objects.ts";
import { annotationOf, managerOf, markOf, readMark } from "./owners.ts";
import { numberIn, readSecret, type Target } from "./target.ts";

/** What makes the pods anew, and each of them show for which delivery. The same mark once more changes nothing. */
function marked({ kind }: WorkloadRef, consumer: string, mark: string): object {
  const template = { metadata: { annotations: { [annotationOf(consumer)]: mark } } };
  return { spec: kind === "CronJob" ? { jobTemplate: { spec: { template } } } : { template } };
}

/** The same by hand, for whoever has more rights. */
export function byHand({ config, consumer }: Target, workload: WorkloadRef, mark: string): string {
  const patch = JSON.stringify(marked(workload, consumer, mark));
  const what = `${workload.kind.toLowerCase()} ${workload.name}`;
  return `kubectl -n ${config.namespace} patch ${what} --type merge -p '${patch}'`;
}

/** A rollout that is under way changes its workload's status again and again. */
const mostRounds = 10;

interface Newest {
  readonly secret: SecretObject;
  readonly number: Claim;
}

/** Only the workload that was read: one that a later delivery of this Secret has restarted meanwhile is left as it is. */
async function restartOne(target: Target, workload: WorkloadRef, { secret, number }: Newest): Promise<void> {
  const { api, consumer, config } = target;
  const of = workloadRight(workload);
  for (let round = 0; round < mostRounds; round += 1) {
    const found = await getObject(api, of, workloadObject);
    const carried = readMark(found && templateOf(found)?.metadata?.annotations?.[annotationOf(consumer)], secret);
    if (carried !== undefined && compareClaims(carried, number) >= 0) return;
    const { resourceVersion } = found?.metadata ?? {};
    const json = { metadata: { resourceVersion }, ...marked(workload, consumer, markOf(secret, number)) };
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
  const secret = await readSecret(target);
  const number = numberIn(secret, target);
  if (number === undefined)
    throw new OperatorNeededError(
      "reload_failed",
      "The Secret does not carry our delivery any more. Retry delivers it again.",
    );
  for (const workload of workloadsOf(target.config)) {
    try {
      await restartOne(target, workload, { secret, number });
    } catch (error) {
      if (!(error instanceof RekeyError) || error instanceof TransientError) throw error;
      throw new OperatorNeededError(
        "reload_failed",
        `${error.detail}\nThe Secret is written. Mend that and retry, or restart it by hand, so that its pods show the delivery:\n  ${byHand(target, workload, markOf(secret, number))}`,
      );
    }
  }
}
