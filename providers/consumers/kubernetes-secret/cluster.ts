import { listObjects } from "./api.ts";
import { workloadKinds, workloadsOf, type WorkloadKind } from "./config.ts";
import {
  controllerOf,
  podObject,
  quotaObject,
  workloadObject,
  type PodObject,
  type QuotaObject,
  type WorkloadObject,
} from "./objects.ts";
import type { Target } from "./target.ts";

/** A workload and what it is called: kinds are not told in a list. */
export interface Workload {
  readonly kind: string;
  readonly name: string;
  readonly object: WorkloadObject;
  /** Whether the registration names it. */
  readonly isOurs: boolean;
}

/** What runs in the namespace, as it was at one look. */
export interface Cluster {
  readonly pods: readonly PodObject[];
  /** All that makes pods, ReplicaSets and Jobs too. */
  readonly workloads: readonly Workload[];
  readonly quotas: readonly QuotaObject[];
}

export async function lookAt(target: Target): Promise<Cluster> {
  const { api, config } = target;
  const names = new Set(workloadsOf(config).map(({ kind, name }) => `${kind}/${name}`));
  const listed = async (kind: string, group: string, resource: string): Promise<readonly Workload[]> => {
    const objects = await listObjects(api, { group, resource }, workloadObject);
    return objects.map((object) => {
      const { name } = object.metadata;
      return { kind, name, object, isOurs: names.has(`${kind}/${name}`) };
    });
  };
  const kinds = Object.entries(workloadKinds) as [WorkloadKind, (typeof workloadKinds)[WorkloadKind]][];
  // Pods first: an owner that was made after them cannot be missing then.
  const pods = await listObjects(api, { group: "", resource: "pods" }, podObject);
  const [quotas, ...workloads] = await Promise.all([
    listObjects(api, { group: "", resource: "resourcequotas" }, quotaObject),
    ...kinds.map(([kind, { group, resource }]) => listed(kind, group, resource)),
    listed("ReplicaSet", "apps", "replicasets"),
    listed("Job", "batch", "jobs"),
  ]);
  return { pods, quotas, workloads: workloads.flat() };
}

export interface Root {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/**
 * Who is at the end of a pod's owners: Deployment, CronJob, an operator's kind, or the pod itself; a registered one ends
 * them, whoever made that. By uid, not by label.
 */
export function rootsIn({ workloads }: Pick<Cluster, "workloads">): (pod: PodObject) => Root {
  const byUid = new Map(workloads.map((each) => [each.object.metadata.uid, each]));
  return (pod) => {
    let root: Root = { kind: "Pod", name: pod.metadata.name, uid: pod.metadata.uid };
    for (let owner = controllerOf(pod); owner !== undefined;) {
      root = owner;
      const found = byUid.get(owner.uid);
      owner = found === undefined || found.isOurs ? undefined : controllerOf(found.object);
    }
    return root;
  };
}

/** Quotas of the namespace that let no further pod in. */
export function fullQuotas({ quotas }: Pick<Cluster, "quotas">): readonly string[] {
  return quotas.flatMap(({ metadata, status }) =>
    ["pods", "count/pods"].flatMap((what) => {
      const [hard, used] = [status?.hard?.[what], status?.used?.[what]];
      return hard !== undefined && used !== undefined && Number(used) >= Number(hard) ? [metadata.name] : [];
    }),
  );
}
