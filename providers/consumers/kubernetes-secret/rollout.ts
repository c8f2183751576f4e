import type { Workload } from "./cluster.ts";
import type { WorkloadObject } from "./objects.ts";

/** Settings of a workload under which a restart does not reach every pod, in a sentence each. */
export function withheldBy(
  { kind, name, object }: Pick<Workload, "kind" | "name" | "object">,
  namespace: string,
): string[] {
  const { paused, updateStrategy } = object.spec;
  const called = `${kind}/${name}`;
  const found: string[] = [];
  if (paused === true)
    found.push(
      `${called} is paused, so that no pod is made anew. Run kubectl -n ${namespace} rollout resume ${called.toLowerCase()}.`,
    );
  if (updateStrategy?.type === "OnDelete")
    found.push(`${called} has the update strategy OnDelete: delete each of its pods by hand, or set RollingUpdate.`);
  const partition = updateStrategy?.rollingUpdate?.partition ?? 0;
  if (partition > 0)
    found.push(
      `${called} has a partition of ${partition}: pods with a lower number keep the old value. Set the partition to 0 to bring it to all.`,
    );
  return found;
}

/** Whether a rollout may first end a pod before it makes another, or must have room for one more. */
export function needsRoom({ spec: { strategy, replicas = 1 } }: WorkloadObject): boolean {
  if (strategy?.type === "Recreate") return false;
  const given = strategy?.rollingUpdate?.maxUnavailable ?? "25%";
  const share = typeof given === "number" ? given : Math.floor((Number.parseInt(given, 10) / 100) * replicas);
  return replicas > 0 && share === 0;
}

/** What keeps a rollout that has begun from its end. The platform's own messages are not repeated: they could hold anything. */
export function stuckIn(workload: Workload, namespace: string, fullQuotas: readonly string[]): string[] {
  const { kind, name, object } = workload;
  const called = `${kind}/${name}`;
  const found = withheldBy(workload, namespace);
  const { conditions = [], observedGeneration } = object.status ?? {};
  if (kind !== "CronJob" && (observedGeneration ?? 0) < (object.metadata.generation ?? 0))
    found.push(`The controller has not looked at the restart of ${called} yet.`);
  const look = `look at kubectl -n ${namespace} describe ${called.toLowerCase()}`;
  if (
    conditions.some(
      ({ type, status, reason }) =>
        type === "Progressing" && status === "False" && reason === "ProgressDeadlineExceeded",
    )
  )
    found.push(`The rollout of ${called} is stuck (ProgressDeadlineExceeded): ${look}.`);
  const refused = conditions.find(({ type, status }) => type === "ReplicaFailure" && status === "True");
  if (refused !== undefined) {
    const isQuota = fullQuotas.length > 0 || refused.message?.includes("exceeded quota") === true;
    const why = isQuota
      ? `a quota of the namespace (${fullQuotas.join(", ") || "of cpu, memory or another resource"}) leaves no room for another pod. Raise it, or let the rollout end a pod first (maxUnavailable: 1)`
      : `the API server refuses its pods: ${look}`;
    found.push(`${called} cannot make its pods (FailedCreate): ${why}.`);
  }
  return found;
}
