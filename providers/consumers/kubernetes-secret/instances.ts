import type { Instance, Instances } from "../../contract/consumer.ts";
import { fullQuotas, lookAt, rootsIn, type Cluster, type Workload } from "./cluster.ts";
import { workloadsOf } from "./config.ts";
import { controllerOf, templateOf, type PodObject } from "./objects.ts";
import { annotationOf, foreignHands, isUntouched, markOf } from "./owners.ts";
import { byHand } from "./restart.ts";
import { stuckIn } from "./rollout.ts";
import { asked, keysOf, numberIn, readSecret, type Target } from "./target.ts";
import { unreadBy, uses } from "./users.ts";

const hopeless = [
  "CrashLoopBackOff",
  "ImagePullBackOff",
  "ErrImagePull",
  "InvalidImageName",
  "CreateContainerConfigError",
  "CreateContainerError",
  "RunContainerError",
];

const isOver = ({ status }: PodObject): boolean => status.phase === "Succeeded" || status.phase === "Failed";

interface Newest {
  readonly annotation: string;
  readonly mark: string;
}

/** A pod of ours; undefined when it counts for nothing any more. One that does not read our keys proves nothing. */
function asInstance(target: Target, pod: PodObject, { annotation, mark }: Newest): Instance | undefined {
  const { name, annotations, deletionTimestamp } = pod.metadata;
  const isEnding = deletionTimestamp !== undefined;
  if (annotations?.[annotation] !== mark)
    return { name, state: "old", detail: isEnding ? "It is being ended." : "It was made before the newest delivery." };
  if (isEnding) return undefined;
  const unread = unreadBy("It", pod.spec, asked(target));
  if (unread !== undefined) return { name, state: "old", detail: unread };
  const { conditions = [], containerStatuses = [], initContainerStatuses = [] } = pod.status;
  if (conditions.some(({ type, status }) => type === "Ready" && status === "True")) return { name, state: "new" };
  const reasons = [...containerStatuses, ...initContainerStatuses].map(({ state }) => state?.waiting?.reason);
  const reason = hopeless.find((each) => reasons.includes(each));
  if (reason !== undefined)
    return {
      name,
      state: "failed",
      detail: `It waits with ${reason}: look at kubectl describe pod ${name} and at its log.`,
    };
  return { name, state: "starting", detail: "It is not ready yet." };
}

/** Who reads our keys and is not named in the registration. */
function strangersIn(target: Target, cluster: Cluster): readonly string[] {
  const what = asked(target);
  const ours = new Set(cluster.workloads.flatMap(({ isOurs, object }) => (isOurs ? [object.metadata.uid] : [])));
  const running = cluster.pods
    .filter((pod) => !isOver(pod) && uses(pod.spec, what))
    .map(rootsIn(cluster))
    .filter(({ uid }) => !ours.has(uid))
    .map(({ kind, name }) => `${kind}/${name}`);
  // What has no pod now may have one in a moment. ReplicaSets and Jobs of listed owners are seen by those.
  const listed = new Set(cluster.workloads.map(({ object }) => object.metadata.uid));
  const waiting = cluster.workloads
    .filter(({ kind, isOurs, object }) => !isOurs && kind !== "Job" && !listed.has(controllerOf(object)?.uid ?? ""))
    .filter(({ object }) => uses(templateOf(object)?.spec ?? {}, what))
    .map(({ kind, name }) => `${kind}/${name}`);
  return [...new Set([...running, ...waiting])].toSorted();
}

const wantedPods = ({ kind, object: { spec, status } }: Workload): number => {
  if (kind === "CronJob") return 0;
  return kind === "DaemonSet" ? (status?.desiredNumberScheduled ?? 0) : (spec.replicas ?? 1);
};

/** What one registered workload shows: its pods, and what keeps others from coming. */
function shownBy(
  target: Target,
  cluster: Cluster,
  workload: Workload,
  pods: readonly PodObject[],
  newest: Newest,
): Instances {
  const { annotation, mark } = newest;
  const instances = pods.flatMap((pod) => asInstance(target, pod, newest) ?? []);
  const called = `${workload.kind}/${workload.name}`;
  const template = templateOf(workload.object);
  const unread = unreadBy(called, template?.spec ?? {}, asked(target));
  if (unread !== undefined) return { instances, lacks: [unread] };
  if (template?.metadata?.annotations?.[annotation] !== mark) {
    const ref = workloadsOf(target.config).find(({ kind, name }) => `${kind}/${name}` === called);
    const command = ref === undefined ? "" : ` By hand: ${byHand(target, ref, mark)}`;
    const text = `${called} has not been restarted for the newest delivery, or somebody has put its former pod template back.`;
    return { instances, lacks: [`${text}${command}`] };
  }
  const lacks = stuckIn(workload, target.config.namespace, fullQuotas(cluster));
  const wanted = wantedPods(workload);
  const ready = instances.filter(({ state }) => state === "new").length;
  if (ready < wanted) lacks.push(`${called}: ${ready} of ${wanted} pods are ready with the newest delivery.`);
  return { instances, lacks };
}

/** Every pod of every registered workload, and who else reads our keys. */
export async function showInstances(target: Target): Promise<Instances> {
  const { config, consumer } = target;
  const secret = await readSecret(target);
  const claim = numberIn(secret, target);
  const hands = foreignHands(secret, keysOf(target), consumer);
  if (claim === undefined || !isUntouched(secret, keysOf(target), consumer)) {
    const text = `The Secret ${config.secret} does not hold what was delivered any more. ${hands.join(" ")}`;
    return { instances: [], lacks: [text.trim()] };
  }
  const newest = { annotation: annotationOf(consumer), mark: markOf(secret, claim) };
  const cluster = await lookAt(target);
  const rootOf = rootsIn(cluster);
  const living = Map.groupBy(
    cluster.pods.filter((pod) => !isOver(pod)),
    (pod) => rootOf(pod).uid,
  );
  const shown = workloadsOf(config).map(({ kind, name }): Instances => {
    const workload = cluster.workloads.find((each) => each.kind === kind && each.name === name);
    if (workload !== undefined)
      return shownBy(target, cluster, workload, living.get(workload.object.metadata.uid) ?? [], newest);
    return { instances: [], lacks: [`There is no ${kind}/${name} in namespace ${config.namespace}.`] };
  });
  const strangers = strangersIn(target, cluster).map(
    (name) =>
      `${name} reads the Secret ${config.secret} too and is not registered. Add it to workloads of the consumer, or take the Secret from it.`,
  );
  return {
    instances: shown.flatMap((each) => each.instances),
    lacks: [...shown.flatMap((each) => each.lacks), ...strangers],
  };
}
